import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';
import { toColumns, toSamples } from './block.ts';
import type { Blocks } from './blocks.ts';
import type { Pending } from './pending.ts';
import { numberOf } from './schema.ts';
import type { SeriesTable } from './series-table.ts';
import { addToTiers } from './tiers.ts';
import { writeFact } from './totals.ts';

/** Whether its moment may be put right later (protocol, section 5, Time). */
export const isUnsure = ({ quality, bootId, monoMs }: Sample): boolean =>
  quality === 'unsynchronised' && bootId !== undefined && monoMs !== undefined;

/** Of more, the oldest one's samples stay where they are. */
const MOST_BOOTS = 64;

const factOf = (bootId: string): string => `unsure-${bootId}`;

/**
 * Samples of a boot whose clock was not known to be right: remembers the first time from which block on they may stand. They come
 * into no tier before they are put right: a minute under a false time is worth nothing.
 */
export function noteUnsure(database: DatabaseSync, samples: readonly Sample[]): void {
  const boots = new Set(samples.filter(isUnsure).map(({ bootId }) => bootId ?? ''));
  for (const boot of boots) {
    const known = database.prepare('SELECT 1 FROM facts WHERE name = ?').get(factOf(boot));
    if (known === undefined) {
      writeFact(database, factOf(boot), numberOf(database, 'SELECT max(id) FROM blocks'));
      // Boots whose clock never became right.
      database.exec(`DELETE FROM facts WHERE name IN (SELECT name FROM facts WHERE name LIKE 'unsure-%'
        ORDER BY CAST(value AS INTEGER) DESC LIMIT -1 OFFSET ${MOST_BOOTS})`);
    }
  }
}

/** No block has such a number. */
export const NONE_UNSURE = Number.MAX_SAFE_INTEGER;

/** Blocks with higher numbers may hold samples whose moment is not known yet. */
export function unsureBehind(database: DatabaseSync): number {
  const row = database
    .prepare("SELECT min(CAST(value AS INTEGER)) AS id FROM facts WHERE name LIKE 'unsure-%'")
    .get();
  return typeof row?.['id'] === 'number' ? row['id'] : NONE_UNSURE;
}

/** Puts the samples of a boot where they belong, within the caller's transaction. */
export function putRight(
  {
    database,
    blocks,
    pending,
    series,
  }: { database: DatabaseSync; blocks: Blocks; pending: Pending; series: SeriesTable },
  bootId: string,
  correct: (sample: Sample) => Sample,
): void {
  const fact = database.prepare('SELECT value FROM facts WHERE name = ?').get(factOf(bootId));
  if (fact === undefined) return;
  const waiting = ([0, 1] as const).map((unsent) => ({ unsent, ...pending.read(unsent) }));
  // What cannot be read there is for the sealing to count: then it stays as it is.
  if (waiting.every(({ damaged }) => damaged === 0)) {
    pending.clear();
    for (const { unsent, samples } of waiting) {
      const all = [...samples.values()].flat().map(correct);
      if (all.length > 0) pending.add(all, unsent);
    }
  }
  for (const head of blocks.samplesBehind(Number(fact['value']))) {
    const columns = blocks.samplesOf(head);
    if (columns === undefined) continue;
    const samples = toSamples(series.name(head.series), columns);
    if (!samples.some((sample) => isUnsure(sample) && sample.bootId === bootId)) continue;
    const right = samples.map(correct).toSorted((a, b) => a.at - b.at);
    blocks.remove(head.id);
    blocks.addSamples(head.series, toColumns(right), head.unsent);
    addToTiers(
      blocks,
      head.series,
      samples.filter((sample) => isUnsure(sample) && sample.bootId === bootId).map(correct),
    );
  }
  database.prepare('DELETE FROM facts WHERE name = ?').run(factOf(bootId));
}
