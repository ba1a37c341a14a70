import type { Source } from './collector.ts';
import type { Reading } from './sample.ts';
import type { SeriesRules } from './series-rules.ts';

/** What reads a group of series. */
export type Readers<Group extends string = string> = Readonly<Record<Group, () => Promise<Reading[]>>>;

/** CPU time needs two readings; the second comes this soon, so that the first sample does. */
const FIRST_CPU_MS = 500;

/** Those groups that are switched on, each at its interval, with what the rules leave of their readings. */
export function sourcesOf<Group extends string>(
  readers: Readers<Group>,
  series: Readonly<Record<Group, { intervalMs: number }>>,
  rules: SeriesRules,
  monotonicMs: () => number,
): Source[] {
  return (Object.keys(readers) as Group[])
    .map((name) => {
      const { intervalMs } = series[name];
      const firstAfterMs = name === 'cpu' ? Math.min(FIRST_CPU_MS, intervalMs) : 0;
      const read = async () => rules.apply(await readers[name](), monotonicMs());
      return { name, intervalMs, firstAfterMs, read };
    })
    .filter(({ intervalMs }) => intervalMs > 0);
}
