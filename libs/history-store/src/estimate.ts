import { isUneven, toColumns } from './block.ts';
import type { BlockHead, Blocks } from './blocks.ts';
import { finestTier, type HistoryQuery, type QueryParts } from './query.ts';
import { stretches, type Stretch } from './stretches.ts';

/** About how large an answer would be. */
export interface Estimate {
  /** Samples as they came. */
  samples: number;
  /** Points that stand for several. */
  joined: number;
  /** There are texts, truth values or averages among the samples: how long those are only they themselves tell. */
  isUneven: boolean;
}

/**
 * How many points the answer would have: of blocks that lie within the range by their heads, of those at its ends by their times.
 */
export function estimatePoints(
  parts: QueryParts,
  { series, from, to, resolutionMs = 0 }: HistoryQuery,
): Estimate {
  const id = parts.series.id(series);
  const estimate: Estimate = { samples: 0, joined: 0, isUneven: false };
  if (id === undefined || from >= to) return estimate;
  const tier = finestTier(resolutionMs);
  const points = new PointCount(resolutionMs);
  for (const stretch of stretches(parts.blocks, tier, { series: id, from, to })) {
    for (const head of parts.blocks.inRange({ series: id, ...stretch })) {
      const kind = stretch.tier === 0 ? 'samples' : 'joined';
      estimate[kind] += points.of(head, pointsWithin(parts.blocks, head, stretch), stretch);
    }
    if (stretch.tier === 0) estimate.isUneven ||= parts.blocks.holdsUneven({ series: id, ...stretch });
  }
  const pending = parts.pending.of(id).filter(({ at }) => at >= from && at < to);
  const [firstAt, lastAt] = [pending[0]?.at ?? 0, pending.at(-1)?.at ?? 0];
  estimate.samples += new PointCount(resolutionMs).of({ firstAt, lastAt }, pending.length, { from, to });
  if (tier > 0) {
    const [behind, unsure] = [parts.unsureBehind(), new PointCount(resolutionMs)];
    for (const head of parts.blocks.inRange({ series: id, tier: 0, from, to }))
      if (head.id > behind) estimate.samples += unsure.of(head, head.samples, { from, to });
  }
  estimate.isUneven ||= isUneven(toColumns(pending));
  if (resolutionMs === 0) return estimate;
  return { samples: 0, joined: estimate.samples + estimate.joined, isUneven: estimate.isUneven };
}

/** How many points a block adds: where a resolution is asked for, no more than there are stretches that the one before has not. */
class PointCount {
  readonly #resolutionMs: number;
  #counted = -Infinity;

  constructor(resolutionMs: number) {
    this.#resolutionMs = resolutionMs;
  }

  of(
    { firstAt, lastAt }: Pick<BlockHead, 'firstAt' | 'lastAt'>,
    points: number,
    { from, to }: { from: number; to: number },
  ): number {
    if (this.#resolutionMs === 0 || points === 0) return points;
    const bucket = (at: number) => Math.floor(at / this.#resolutionMs);
    const first = Math.max(bucket(Math.max(firstAt, from)), this.#counted + 1);
    const last = bucket(Math.min(lastAt, to - 1));
    this.#counted = Math.max(this.#counted, last);
    return Math.min(points, Math.max(0, last - first + 1));
  }
}

function pointsWithin(blocks: Blocks, head: BlockHead, { from, to }: Stretch): number {
  if (head.firstAt >= from && head.lastAt < to) return head.samples;
  const moments =
    head.tier === 0 ? blocks.samplesOf(head)?.at : blocks.aggregatesOf(head)?.map(({ at }) => at);
  return moments?.filter((at) => at >= from && at < to).length ?? 0;
}
