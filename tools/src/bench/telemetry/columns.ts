import type { Sample } from '@bowline/messages';

/** The samples of one series side by side; what is the same for all of them stands once, times as differences. */
interface Column {
  series: string;
  unit?: string;
  quality?: string;
  at: number[];
  value: Sample['value'][];
}

/** What a denser form of `telemetry` would be (protocol, section 5), so that it can be measured. */
export function toColumns(samples: readonly Sample[]): { columns: Column[] } {
  const columns = new Map<string, Column>();
  const lastAt = new Map<string, number>();
  for (const { series, at, value, unit, quality } of samples) {
    const known = columns.get(series);
    if (known === undefined) {
      const once = { ...(unit === undefined ? {} : { unit }), ...(quality === undefined ? {} : { quality }) };
      columns.set(series, { series, ...once, at: [at], value: [value] });
    } else {
      known.at.push(at - (lastAt.get(series) ?? 0));
      known.value.push(value);
    }
    lastAt.set(series, at);
  }
  return { columns: [...columns.values()] };
}
