import { closeSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inTransaction, NUMBERED } from './schema.ts';
import { isReadingFault } from './sqlite-errors.ts';

/** Where a damaged file does not say how many rows it had. */
const MOST_ROWS = 2 ** 24;
/** A header that speaks of more is damaged itself. */
const LARGEST_FILE_BYTES = 2 ** 36;
const ROWS_AT_ONCE = 256;
/** Of one table: where so many reads have failed, the rest of it is given up. */
const MOST_FAULTS = 2000;

export interface Salvaged {
  /** Rows that were copied. */
  rows: number;
  /** Stretches of numbers under which nothing could be read. */
  unreadable: number;
}

/**
 * Copies every row that can be read, in pieces: where reading a stretch of rows fails, each half of it is tried. Whether a
 * block is whole its checksum tells later.
 */
export function salvage(damagedFile: string, into: DatabaseSync): Salvaged {
  const found: Salvaged = { rows: 0, unreadable: 0 };
  padToItsPages(damagedFile);
  let from: DatabaseSync;
  try {
    from = new DatabaseSync(damagedFile);
  } catch {
    return { rows: 0, unreadable: 1 };
  }
  try {
    for (const [table, columns] of Object.entries(NUMBERED)) copyTable(from, into, table, columns, found);
    copyFacts(from, into);
  } finally {
    from.close();
  }
  return found;
}

/** Of a file that was torn off SQLite reads nothing at all: with holes at its end it reads what there is. */
function padToItsPages(file: string): void {
  const head = Buffer.alloc(32);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, head);
  } finally {
    closeSync(handle);
  }
  // sqlite.org/fileformat.html, "The Database Header"
  const bytes = head.readUInt16BE(16) * head.readUInt32BE(28);
  if (bytes > statSync(file).size && bytes <= LARGEST_FILE_BYTES) truncateSync(file, bytes);
}

function copyTable(
  from: DatabaseSync,
  into: DatabaseSync,
  table: string,
  columns: readonly string[],
  found: Salvaged,
): void {
  const names = columns.join(', ');
  const insert = into.prepare(
    `INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  // Under our names, whatever they are in the damaged file.
  const asOurs = columns.map((name) => `${name} AS ${name}`).join(', ');
  const copy = (low: number, high: number): void => {
    for (let next = low; next <= high;) {
      const rows = from
        .prepare(
          `SELECT ${asOurs} FROM ${table} NOT INDEXED WHERE id >= ? AND id <= ? ORDER BY id LIMIT ${ROWS_AT_ONCE}`,
        )
        .all(next, high);
      if (rows.length === 0) return;
      inTransaction(into, () =>
        rows.forEach((row) => insert.run(...columns.map((name) => row[name] ?? null))),
      );
      found.rows += rows.length;
      next = Number(rows.at(-1)?.['id']) + 1;
    }
  };
  let faults = 0;
  const tryToCopy = (low: number, high: number): void => {
    if (faults >= MOST_FAULTS) return;
    const before = found.rows;
    try {
      copy(low, high);
    } catch (error) {
      if (!isReadingFault(error)) throw error;
      found.rows = before;
      faults += 1;
      if (low === high || faults >= MOST_FAULTS) {
        found.unreadable += 1;
        return;
      }
      const middle = Math.floor((low + high) / 2);
      tryToCopy(low, middle);
      tryToCopy(middle + 1, high);
    }
  };
  tryToCopy(1, highestId(from, table));
}

function highestId(from: DatabaseSync, table: string): number {
  try {
    return Number(from.prepare(`SELECT max(id) AS id FROM ${table} NOT INDEXED`).get()?.['id'] ?? 0);
  } catch (error) {
    if (!isReadingFault(error)) throw error;
    return MOST_ROWS;
  }
}

function copyFacts(from: DatabaseSync, into: DatabaseSync): void {
  try {
    const rows = from.prepare('SELECT name AS name, value AS value FROM facts').all();
    const insert = into.prepare('INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)');
    inTransaction(into, () => rows.forEach((row) => insert.run(row['name'] ?? null, row['value'] ?? null)));
  } catch (error) {
    if (!isReadingFault(error)) throw error;
  }
}
