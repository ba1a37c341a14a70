import { isTree } from '@bowline/runtime/tree';

/** One key that two documents say differently; absent: it does not say anything. */
export interface ConfigDifference {
  /** `telemetry-collector.series.cpu.intervalMs` */
  key: string;
  from?: unknown;
  to?: unknown;
}

/** Key by key, lists as a whole. */
export function diffOf(from: unknown, to: unknown, path: readonly string[] = []): ConfigDifference[] {
  if (isTree(from) || isTree(to)) {
    const [before, after] = [isTree(from) ? from : {}, isTree(to) ? to : {}];
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => diffOf(before[name], after[name], [...path, name]));
  }
  if (JSON.stringify(from) === JSON.stringify(to)) return [];
  return [
    {
      key: path.join('.'),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    },
  ];
}
