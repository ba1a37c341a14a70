import { DatabaseSync } from 'node:sqlite';
import { damageFound } from './sqlite-errors.ts';

const PAGE_BYTES = 4096;
/** Of the write-ahead log, after a checkpoint. */
const LOG_BYTES = 4 * 2 ** 20;

/**
 * - `pending`: one row a commit, with what came in of all series; every quarter of an hour they become blocks.
 * - `blocks`: samples (tier 0) or aggregates (tiers 1 and 2) of one series. `unsent`: 1 if nobody but us has them; 2 if they
 *   stand for more that nobody has any more.
 * - `uneven`: numbers of blocks of samples that are not all plain numbers: how long those are only they themselves tell.
 * - `gaps`: unsent samples that were given up, until the server is told; with a `message_id` it is being told.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT);
  CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY AUTOINCREMENT, unsent INTEGER NOT NULL,
    samples INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY AUTOINCREMENT, series INTEGER NOT NULL, tier INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, samples INTEGER NOT NULL, unsent INTEGER NOT NULL,
    crc INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS blocks_by_time ON blocks (tier, series, first_at, last_at);
  CREATE INDEX IF NOT EXISTS blocks_by_age ON blocks (tier, last_at);
  CREATE INDEX IF NOT EXISTS blocks_unsent ON blocks (unsent, first_at) WHERE unsent > 0;
  CREATE TABLE IF NOT EXISTS gaps (id INTEGER PRIMARY KEY AUTOINCREMENT, series TEXT NOT NULL, count INTEGER NOT NULL,
    from_at INTEGER NOT NULL, to_at INTEGER NOT NULL, message_id TEXT);
  CREATE TABLE IF NOT EXISTS uneven (id INTEGER PRIMARY KEY);
`;

/** Tables whose rows have numbers, the most important first, and their columns. */
export const NUMBERED: Record<string, readonly string[]> = {
  series: ['id', 'name', 'unit'],
  gaps: ['id', 'series', 'count', 'from_at', 'to_at', 'message_id'],
  pending: ['id', 'unsent', 'samples', 'crc', 'data'],
  blocks: ['id', 'series', 'tier', 'first_at', 'last_at', 'samples', 'unsent', 'crc', 'data'],
  uneven: ['id'],
};

/** Raised when the tables change; a file of a later version is not opened. */
export const SCHEMA_VERSION = 1;

/**
 * Opens the file, making it if there is none. A commit is on the disk when it returns: one write and one fsync, of the
 * write-ahead log. The file belongs to this process alone for as long as it is open.
 *
 * @param maxBytes SQLite itself keeps the file below it.
 */
export function openFile(file: string, maxBytes: number): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${LOG_BYTES}; PRAGMA cache_size = -2048`);
    const hasList = numberOf(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'uneven'") > 0;
    database.exec(`BEGIN; ${TABLES}`);
    if (!hasList) noteUnlisted(database);
    database.exec('COMMIT');
    // Not before: a file that is full already must get a table that it has not yet.
    limitFile(database, maxBytes);
    for (const table of ['facts', ...Object.keys(NUMBERED)]) mustBeAsMade(database, table);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Of the blocks that are there now, `uneven` may not name all that it should: the release before had no such table, and of a
 * damaged file some of it may be lost.
 */
export function noteUnlisted(database: DatabaseSync): void {
  database.exec(
    "INSERT OR REPLACE INTO facts (name, value) SELECT 'unlisted', CAST(max(id) AS TEXT) FROM blocks HAVING max(id) > 0",
  );
}

/** Number of the last block of which {@link noteUnlisted} is true; 0: none. */
export const unlistedTo = (database: DatabaseSync): number =>
  numberOf(database, "SELECT value FROM facts WHERE name = 'unlisted'");

/**
 * What the columns are called stands in the file, too, without a checksum. SQLite takes another case for the same name, and
 * gives it back as it stands there.
 */
function mustBeAsMade(database: DatabaseSync, table: string): void {
  const columns = NUMBERED[table] ?? ['name', 'value'];
  const found = database.prepare(`SELECT ${columns.join(', ')} FROM ${table}`).columns();
  if (found.every(({ name }, index) => name === columns[index])) return;
  throw damageFound(`the columns of ${table} have other names`);
}

/** SQLite itself keeps the file below so many bytes; one that is larger already grows no more. */
export function limitFile(database: DatabaseSync, maxBytes: number): void {
  database.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)}`);
}

/** Bytes in use, and bytes of the file. */
export function sizeOf(database: DatabaseSync): { usedBytes: number; fileBytes: number } {
  const pages = numberOf(database, 'PRAGMA page_count');
  const free = numberOf(database, 'PRAGMA freelist_count');
  return { usedBytes: (pages - free) * PAGE_BYTES, fileBytes: pages * PAGE_BYTES };
}

export function numberOf(database: DatabaseSync, query: string): number {
  return Number(Object.values(database.prepare(query).get() ?? {})[0] ?? 0);
}

/** All of it or nothing. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // Some errors (a full disk) have rolled it back already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
