import type { Sample } from '@bowline/messages';
import { toSamples } from './block.ts';
import { Buckets, TIER_MS, type Aggregate } from './aggregate.ts';
import type { BlockHead, Blocks, Tier } from './blocks.ts';
import type { Pending } from './pending.ts';
import type { SeriesTable } from './series-table.ts';
import { stretches, type Stretch } from './stretches.ts';
import { isUnsure, NONE_UNSURE } from './unsure-times.ts';
import type { Value } from './value-column.ts';

/** from ≤ t < to, epoch milliseconds. */
export interface HistoryQuery {
  series: string;
  from: number;
  to: number;
  /** Width of what is joined to one point; 0 or absent: every sample there is. */
  resolutionMs?: number;
  /** About as many points at most; then `next` says where to go on. Default 100,000. */
  limit?: number;
}

export interface RawPoint {
  at: number;
  value: Value;
}

/** Where only minutes or hours are left, or a resolution was asked for, a point is an aggregate. */
export type HistoryPoint = RawPoint | Aggregate;

export interface HistoryAnswer {
  series: string;
  unit?: string;
  points: HistoryPoint[];
  /** There is more, from here on. */
  next?: number;
}

export interface QueryParts {
  blocks: Blocks;
  pending: Pending;
  series: SeriesTable;
  /** Blocks of samples with higher numbers may hold some that stand in no tier yet (unsure-times.ts). */
  unsureBehind(): number;
  /** A block that cannot be read. */
  onDamage(head: BlockHead): void;
}

const DEFAULT_LIMIT = 100_000;

/**
 * What there is of one series: the finest tier that suits the resolution and still reaches back that far, coarser ones for
 * what is older. Points are in the order of time.
 */
export function query(
  parts: QueryParts,
  { series, from, to, resolutionMs = 0, limit }: HistoryQuery,
): HistoryAnswer {
  const id = parts.series.id(series);
  const unit = parts.series.unit(series);
  const answer: HistoryAnswer = { series, ...(unit === undefined ? {} : { unit }), points: [] };
  if (id === undefined || from >= to) return answer;
  const buckets = resolutionMs > 0 ? new Buckets(resolutionMs) : undefined;
  const reader = new Reader(parts, id, buckets, limit ?? DEFAULT_LIMIT);
  let next: number | undefined;
  for (const stretch of stretches(parts.blocks, finestTier(resolutionMs), { series: id, from, to })) {
    next = reader.read(stretch);
    if (next !== undefined) break;
  }
  if (finestTier(resolutionMs) > 0) reader.readUnsure(from, next ?? to);
  if (next === undefined) reader.readPending(from, to);
  const end = next === undefined || buckets === undefined ? next : next - (next % resolutionMs);
  answer.points = reader.points().filter(({ at }) => end === undefined || at < end);
  // A bucket wider than what was read would never end: then all of it counts.
  if (end !== undefined && end > from) answer.next = end;
  return answer;
}

type Readings = Pick<Sample, 'at' | 'value' | 'count' | 'min' | 'max'>;

class Reader {
  readonly #parts: QueryParts;
  readonly #series: number;
  readonly #buckets: Buckets | undefined;
  readonly #limit: number;
  readonly #points: HistoryPoint[] = [];
  /** The points are in the order of time as they came. */
  #inOrder = true;
  #lastAt = -Infinity;

  constructor(parts: QueryParts, series: number, buckets: Buckets | undefined, limit: number) {
    this.#parts = parts;
    this.#series = series;
    this.#buckets = buckets;
    this.#limit = limit;
  }

  get #count(): number {
    return this.#buckets?.size ?? this.#points.length;
  }

  /** @returns where it stopped, if there was more than the limit. */
  read({ tier, from, to }: Stretch): number | undefined {
    let readUpTo = from;
    for (const head of this.#parts.blocks.inRange({ series: this.#series, tier, from, to })) {
      // A block that begins before the end of what was read belongs to it: blocks may overlap.
      if (this.#count >= this.#limit && head.firstAt > readUpTo) return head.firstAt;
      this.#readBlock(head, from, to);
      readUpTo = Math.max(readUpTo, head.lastAt);
    }
    return undefined;
  }

  #readBlock(head: BlockHead, from: number, to: number): void {
    if (head.tier > 0) {
      const aggregates = this.#parts.blocks.aggregatesOf(head);
      if (aggregates === undefined) return this.#parts.onDamage(head);
      for (const each of aggregates) if (each.at >= from && each.at < to) this.#addAggregate(each);
      return;
    }
    const columns = this.#parts.blocks.samplesOf(head);
    if (columns === undefined) return this.#parts.onDamage(head);
    if (columns.merged.length > 0) {
      for (const sample of toSamples('', columns))
        if (sample.at >= from && sample.at < to) this.#addSample(sample);
      return;
    }
    columns.at.forEach((at, index) => {
      if (at >= from && at < to) this.#addSample({ at, value: columns.values[index] ?? 0 });
    });
  }

  /** Samples that stand in no tier, for their moment is not known for sure. */
  readUnsure(from: number, to: number): void {
    const { blocks, unsureBehind, series, onDamage } = this.#parts;
    const behind = unsureBehind();
    if (behind === NONE_UNSURE) return;
    for (const head of blocks.inRange({ series: this.#series, tier: 0, from, to })) {
      if (head.id <= behind) continue;
      const columns = blocks.samplesOf(head);
      if (columns === undefined) onDamage(head);
      else
        for (const sample of toSamples(series.name(this.#series), columns))
          if (isUnsure(sample) && sample.at >= from && sample.at < to) this.#addSample(sample);
    }
  }

  readPending(from: number, to: number): void {
    for (const sample of this.#parts.pending.of(this.#series))
      if (sample.at >= from && sample.at < to) this.#addSample(sample);
  }

  #addSample(sample: Readings): void {
    const { at, value, count, min, max } = sample;
    if (this.#buckets !== undefined) this.#buckets.addSample(sample);
    else if (typeof value === 'number' && count !== undefined && min !== undefined && max !== undefined)
      this.#push({ at, min, max, avg: value, count });
    else this.#push({ at, value });
  }

  #addAggregate(aggregate: Aggregate): void {
    if (this.#buckets !== undefined) this.#buckets.add(aggregate);
    else this.#push(aggregate);
  }

  #push(point: HistoryPoint): void {
    this.#inOrder &&= point.at >= this.#lastAt;
    this.#lastAt = point.at;
    this.#points.push(point);
  }

  points(): HistoryPoint[] {
    if (this.#buckets !== undefined) return this.#buckets.sorted();
    return this.#inOrder ? this.#points : this.#points.toSorted((a, b) => a.at - b.at);
  }
}

export const finestTier = (resolutionMs: number): Tier =>
  resolutionMs >= TIER_MS[1] ? 2 : resolutionMs >= TIER_MS[0] ? 1 : 0;
