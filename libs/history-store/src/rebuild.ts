import { aggregateOf, Buckets, TIER_MS, type Aggregate } from './aggregate.ts';
import { toSamples } from './block.ts';
import type { BlockHead, Blocks } from './blocks.ts';
import { isUnsure } from './unsure-times.ts';

/**
 * Minutes or hours that a damaged block held, made anew of what the finer tier still has, within the caller's transaction. To be
 * called when the block is gone. What another block of its tier holds is left as it is: that part of it was not damaged.
 */
export function rebuild(blocks: Blocks, { series, tier, firstAt, lastAt }: BlockHead): void {
  if (tier === 0) return;
  const widthMs = TIER_MS[tier - 1] ?? 1;
  const range = { series, from: firstAt, to: lastAt + widthMs };
  const held = new Set<number>();
  for (const head of blocks.inRange({ ...range, tier }))
    for (const { at } of blocks.aggregatesOf(head) ?? []) held.add(at);
  const buckets = new Buckets(widthMs);
  for (const each of finer(blocks, tier, range)) {
    const { at } = each;
    if (at >= range.from && at < range.to && !held.has(at - (at % widthMs))) buckets.add(each);
  }
  if (buckets.size > 0) blocks.addAggregates(series, tier, buckets.sorted());
}

function* finer(
  blocks: Blocks,
  tier: 1 | 2,
  range: { series: number; from: number; to: number },
): Generator<Aggregate> {
  if (tier === 2) {
    for (const head of blocks.inRange({ ...range, tier: 1 })) yield* blocks.aggregatesOf(head) ?? [];
    return;
  }
  for (const head of blocks.inRange({ ...range, tier: 0 })) {
    const columns = blocks.samplesOf(head);
    for (const sample of columns === undefined ? [] : toSamples('', columns)) {
      const aggregate = isUnsure(sample) ? undefined : aggregateOf(sample);
      if (aggregate !== undefined) yield aggregate;
    }
  }
}
