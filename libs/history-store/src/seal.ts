import type { Sample } from '@bowline/messages';
import { TIER_MS } from './aggregate.ts';
import { toColumns } from './block.ts';
import type { Blocks } from './blocks.ts';
import type { BySeries, Pending, Rows } from './pending.ts';
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
 * @param rows all that is pending of their series.
 * @returns samples that could not be read, of what others have and of what only we have.
 */
export function seal({ blocks, pending, series }: SealParts, rows: Rows): [number, number] {
  const sent = pending.read(0, rows);
  const unsent = pending.read(1, rows);
  addBlocks(blocks, series, sent.samples, 0);
  addBlocks(blocks, series, unsent.samples, 1, sent.samples);
  for (const name of new Set([...sent.samples.keys(), ...unsent.samples.keys()])) {
    const lists = [sent.samples.get(name) ?? [], unsent.samples.get(name) ?? []];
    const id = series.id(name);
    const sure = lists.flat().filter((sample) => !isUnsure(sample));
    if (id !== undefined) addToTiers(blocks, id, sure);
  }
  pending.clear(rows);
  return [sent.damaged, unsent.damaged];
}

/** @param others blocks are not to reach over stretches that only these have: they may be gone sooner */
function addBlocks(
  blocks: Blocks,
  series: SeriesTable,
  samples: BySeries,
  unsent: 0 | 1,
  others?: BySeries,
): void {
  for (const [name, list] of samples) {
    const id = series.idFor(name, undefined);
    for (const run of cutWhere(list, others?.get(name) ?? [])) {
      for (let from = 0; from < run.length; from += BLOCK_SAMPLES) {
        blocks.addSamples(id, toColumns(run.slice(from, from + BLOCK_SAMPLES)), unsent);
      }
    }
  }
}

/** Cuts where others lie in a pause of more than a minute. Both in the order of time. */
function cutWhere(list: readonly Sample[], others: readonly Sample[]): Sample[][] {
  const runs: Sample[][] = [];
  let [begin, next] = [0, 0];
  list.forEach(({ at }, index) => {
    const before = list[index - 1]?.at ?? at;
    if (at - before <= TIER_MS[0]) return;
    while ((others[next]?.at ?? Infinity) <= before) next += 1;
    if ((others[next]?.at ?? Infinity) >= at) return;
    runs.push(list.slice(begin, index));
    begin = index;
  });
  return [...runs, list.slice(begin)];
}
