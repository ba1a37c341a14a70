import type { Sample } from '@bowline/messages';
import { ColumnReader, ColumnWriter } from './byte-columns.ts';
import { readValues, writeValues } from './value-column.ts';

/** What is known of one series over a stretch of time that begins at `at`, epoch milliseconds. */
export interface Aggregate {
  at: number;
  min: number;
  max: number;
  avg: number;
  /** Samples that it stands for. */
  count: number;
}

/** The stretches of the tiers above the raw samples (tier 0), milliseconds: a minute, an hour. */
export const TIER_MS = [60_000, 3_600_000] as const;

/** One sample as a stretch of its own; texts and truth values have no average. */
export function aggregateOf({
  at,
  value,
  count = 1,
  min,
  max,
}: Pick<Sample, 'at' | 'value' | 'count' | 'min' | 'max'>): Aggregate | undefined {
  if (typeof value !== 'number') return undefined;
  return { at, min: min ?? value, max: max ?? value, avg: value, count: Math.max(1, count) };
}

/** Joins everything that falls into the same stretch; texts and truth values have no average and are left out. */
export class Buckets {
  readonly #widthMs: number;
  readonly #buckets = new Map<number, Aggregate>();

  constructor(widthMs: number) {
    this.#widthMs = widthMs;
  }

  get size(): number {
    return this.#buckets.size;
  }

  addSample(sample: Pick<Sample, 'at' | 'value' | 'count' | 'min' | 'max'>): void {
    const aggregate = aggregateOf(sample);
    if (aggregate !== undefined) this.add(aggregate);
  }

  add({ at, min, max, avg, count }: Aggregate): void {
    const start = at - (at % this.#widthMs);
    const known = this.#buckets.get(start);
    if (known === undefined) {
      this.#buckets.set(start, { at: start, min, max, avg, count });
      return;
    }
    const all = known.count + count;
    // By shares: sum and difference of large values are no numbers any more.
    known.avg = known.avg * (known.count / all) + avg * (count / all);
    known.count = Math.min(all, Number.MAX_SAFE_INTEGER);
    known.min = Math.min(known.min, min);
    known.max = Math.max(known.max, max);
  }

  /** In the order of time. */
  sorted(): Aggregate[] {
    return [...this.#buckets.values()].toSorted((a, b) => a.at - b.at);
  }
}

/** @param aggregates in the order of time */
export function writeAggregates(aggregates: readonly Aggregate[]): Buffer {
  const writer = new ColumnWriter(32 + 8 * aggregates.length);
  writer.count(aggregates.length);
  let before = 0;
  for (const { at } of aggregates) {
    writer.signed(at - before);
    before = at;
  }
  for (const { count } of aggregates) writer.count(count);
  for (const column of ['min', 'max', 'avg'] as const) {
    writeValues(
      writer,
      aggregates.map((each) => each[column]),
    );
  }
  return writer.done();
}

export function readAggregates(bytes: Uint8Array): Aggregate[] {
  const reader = new ColumnReader(bytes);
  const count = reader.count();
  const aggregates: Aggregate[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    at += reader.signed();
    aggregates.push({ at, min: 0, max: 0, avg: 0, count: 0 });
  }
  for (const each of aggregates) each.count = reader.count();
  for (const column of ['min', 'max', 'avg'] as const) {
    const values = readValues(reader, count);
    aggregates.forEach((each, index) => (each[column] = values[index] as number));
  }
  return aggregates;
}
