import type { Sample } from '@bowline/messages';
import { Buckets, TIER_MS, type Aggregate } from './aggregate.ts';
import { toColumns } from './block.ts';
import type { Blocks } from './blocks.ts';
import type { BySeries, Pending } from './pending.ts';
import type { SeriesTable } from './series-table.ts';

/** Samples in a block at most: what a query has to unpack to get at one of them. */
const BLOCK_SAMPLES = 4096;
/** Aggregates in a block at most, four hours of minutes: the newest block is written anew each time. */
const BLOCK_AGGREGATES = 256;

export interface SealParts {
  blocks: Blocks;
  pending: Pending;
  series: SeriesTable;
}

/**
 * Makes blocks of what is pending, and minutes and hours of it, within the caller's transaction.
 *
 * @returns samples that could not be read.
 */
export function seal({ blocks, pending, series }: SealParts): { damaged: number; damagedUnsent: number } {
  const sent = pending.read(0);
  const unsent = pending.read(1);
  addBlocks(blocks, series, sent.samples, 0);
  addBlocks(blocks, series, unsent.samples, 1);
  for (const name of new Set([...sent.samples.keys(), ...unsent.samples.keys()])) {
    const lists = [sent.samples.get(name) ?? [], unsent.samples.get(name) ?? []];
    const id = series.id(name);
    if (id !== undefined) addToTiers(blocks, id, lists.flat());
  }
  pending.clear();
  return { damaged: sent.damaged + unsent.damaged, damagedUnsent: unsent.damaged };
}

function addBlocks(blocks: Blocks, series: SeriesTable, samples: BySeries, unsent: 0 | 1): void {
  for (const [name, list] of samples) {
    const id = series.idFor(name, undefined);
    for (let from = 0; from < list.length; from += BLOCK_SAMPLES) {
      blocks.addSamples(id, toColumns(list.slice(from, from + BLOCK_SAMPLES)), unsent);
    }
  }
}

function addToTiers(blocks: Blocks, series: number, samples: readonly Sample[]): void {
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
