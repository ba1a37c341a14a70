import type { Sample } from '@bowline/messages';
import { Buckets, TIER_MS, type Aggregate } from './aggregate.ts';
import type { Blocks } from './blocks.ts';

/** Aggregates in a block at most, four hours of minutes: the newest block is written anew each time. */
const BLOCK_AGGREGATES = 256;

/** Minutes and hours of samples, beside those that there are. */
export function addToTiers(blocks: Blocks, series: number, samples: readonly Sample[]): void {
  TIER_MS.forEach((widthMs, index) => {
    const buckets = new Buckets(widthMs);
    for (const sample of samples) buckets.addSample(sample);
    if (buckets.size > 0) append(blocks, series, index === 0 ? 1 : 2, buckets.sorted());
  });
}

/** Into the newest block, if there is room and it does not begin later. */
function append(blocks: Blocks, series: number, tier: 1 | 2, added: readonly Aggregate[]): void {
  const newest = blocks.newest(tier, series);
  const held = newest === undefined ? undefined : blocks.aggregatesOf(newest);
  const fits =
    newest !== undefined &&
    held !== undefined &&
    held.length + added.length <= BLOCK_AGGREGATES &&
    newest.firstAt <= (added[0]?.at ?? 0);
  if (!fits) {
    blocks.addAggregates(series, tier, added);
    return;
  }
  const buckets = new Buckets(TIER_MS[tier - 1] ?? 1);
  for (const each of [...held, ...added]) buckets.add(each);
  blocks.remove(newest.id);
  blocks.addAggregates(series, tier, buckets.sorted());
}
