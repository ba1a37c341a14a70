import type { DatabaseSync } from 'node:sqlite';

/**
 * Samples since the file was new. Of those that nobody else had:
 * `unsentRecorded` = `unsentSent` + `unsentGivenUp` + what still waits.
 */
export interface Totals {
  recorded: number;
  unsentRecorded: number;
  unsentSent: number;
  unsentGivenUp: number;
  /** Blocks whose checksum did not fit. */
  damagedBlocks: number;
}

const NONE: Totals = { recorded: 0, unsentRecorded: 0, unsentSent: 0, unsentGivenUp: 0, damagedBlocks: 0 };

export function readTotals(database: DatabaseSync): Totals {
  const row = database.prepare("SELECT value FROM facts WHERE name = 'totals'").get();
  return row === undefined ? { ...NONE } : { ...NONE, ...(JSON.parse(String(row['value'])) as Totals) };
}

/** Within the caller's transaction. */
export function addTotals(database: DatabaseSync, more: Partial<Totals>): void {
  const totals = readTotals(database);
  for (const [name, count] of Object.entries(more)) totals[name as keyof Totals] += count;
  writeFact(database, 'totals', totals);
}

export function writeFact(database: DatabaseSync, name: string, value: unknown): void {
  database
    .prepare(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    )
    .run(name, JSON.stringify(value));
}
