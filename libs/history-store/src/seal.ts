import { toColumns } from './block.ts';
import type { Blocks } from './blocks.ts';
import type { BySeries, Pending } from './pending.ts';
import type { SeriesTable } from './series-table.ts';
import { addToTiers } from './tiers.ts';
import { isUnsure } from './unsure-times.ts';

/** Samples in a block at most: what a query has to unpack to get at one of them. */
const BLOCK_SAMPLES = 4096;

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
    const sure = lists.flat().filter((sample) => !isUnsure(sample));
    if (id !== undefined) addToTiers(blocks, id, sure);
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
