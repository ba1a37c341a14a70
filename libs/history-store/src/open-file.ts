import type { DatabaseSync } from 'node:sqlite';
import { ConfigError } from '@bowline/runtime/errors';
import type { HistoryFiles } from './history-files.ts';
import { salvage, type Salvaged } from './salvage.ts';
import { noteUnlisted, openFile, SCHEMA_VERSION } from './schema.ts';
import { isReadingFault } from './sqlite-errors.ts';
import { writeFact } from './totals.ts';

/** What befell the file: told to the server as an event. */
export interface HistoryIncident extends Salvaged {
  /** Kept there. */
  quarantine: string;
}

export interface OpenedFile {
  database: DatabaseSync;
  number: number;
  incident?: HistoryIncident;
}

/** Opens the newest whole file, making one if there is none; of a damaged one, what can be read of it goes into a new one. */
export function openNewest(files: HistoryFiles, maxBytes: number): OpenedFile {
  const [newest, before] = files.numbers().toReversed();
  if (newest === undefined) return { database: create(files, 1, maxBytes), number: 1 };
  let database: DatabaseSync | undefined;
  try {
    database = openFile(files.path(newest), maxBytes);
    if (isComplete(database)) return { database, number: newest };
  } catch (error) {
    if (!isReadingFault(error)) throw error;
    // It locks the file for itself.
    database?.close();
    return replace(files, newest, maxBytes);
  }
  // A crash while it was being filled from the one before it, or before it was made at all.
  database.close();
  files.remove(newest);
  return before === undefined
    ? { database: create(files, newest, maxBytes), number: newest }
    : replace(files, before, maxBytes);
}

/** @param damaged number of the file, closed */
export function replace(files: HistoryFiles, damaged: number, maxBytes: number): OpenedFile {
  const number = damaged + 1;
  files.remove(number);
  const database = openFile(files.path(number), maxBytes);
  const salvaged = salvage(files.path(damaged), database);
  noteUnlisted(database);
  complete(database);
  files.removeBefore(number);
  return { database, number, incident: { ...salvaged, quarantine: files.path(damaged) } };
}

function create(files: HistoryFiles, number: number, maxBytes: number): DatabaseSync {
  const database = openFile(files.path(number), maxBytes);
  complete(database);
  return database;
}

function complete(database: DatabaseSync): void {
  writeFact(database, 'version', SCHEMA_VERSION);
}

/** @throws ConfigError `history-newer` */
function isComplete(database: DatabaseSync): boolean {
  const row = database.prepare("SELECT value FROM facts WHERE name = 'version'").get();
  if (row === undefined) return false;
  const version = Number(row['value']);
  if (version <= SCHEMA_VERSION) return true;
  database.close();
  throw new ConfigError(
    'history-newer',
    `the history was written by a newer telemetry-collector (version ${version} of the file): install that one again`,
  );
}
