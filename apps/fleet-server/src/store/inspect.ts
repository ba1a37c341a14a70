import { inspectFile, openRecord, type Environment } from '@bowline/record-store';
import { keys, STORE_SCHEMA_VERSION, type ServerRecord } from '@bowline/server-sdk/store';
import { keyOf } from './lmdb-backend.ts';

/**
 * - `sound`: all records are there and whole;
 * - `newer`: written by a newer program;
 * - `damaged`: the tree can be walked, some records cannot be relied on, or some are missing;
 * - `unreadable`: not even that.
 */
export interface StoreInspection {
  verdict: 'sound' | 'newer' | 'damaged' | 'unreadable';
  /** The first thing that was wrong. */
  detail: string;
  /** The highest number of a commit. */
  lastCommit: number;
  usedBytes: number;
}

/** Every key of the store lies in this range. */
export const EVERYTHING = { from: Buffer.from([0]), to: Buffer.from([0xff]) };

/** Reads everything in a store that nobody has open. May end the process: it belongs into a child. */
export async function inspect(file: string): Promise<StoreInspection> {
  return { lastCommit: 0, usedBytes: 0, ...(await inspectFile(file, inspectRecords)) };
}

function inspectRecords(env: Environment): StoreInspection {
  const { entries, usedBytes } = env.stats();
  let [found, lastCommit, detail] = [0, 0, ''];
  for (const { key, record } of env.views(EVERYTHING.from, EVERYTHING.to)) {
    found += 1;
    const opened = openRecord(record);
    if (opened?.key.equals(key) === true) lastCommit = Math.max(lastCommit, opened.commit);
    else detail ||= `the record ${key.toString('latin1')} is damaged`;
  }
  if (found !== entries) detail ||= `there are ${found} records instead of ${entries}`;
  const server = serverRecord(env);
  if (server !== undefined && server.schemaVersion > STORE_SCHEMA_VERSION) {
    return { verdict: 'newer', detail: `schema ${server.schemaVersion}`, lastCommit, usedBytes };
  }
  if (server === undefined) detail ||= 'the record of the server itself is missing';
  return { verdict: detail === '' ? 'sound' : 'damaged', detail, lastCommit, usedBytes };
}

function serverRecord(env: Environment): ServerRecord | undefined {
  const record = env.get(keyOf(keys.server));
  const opened = record && openRecord(record);
  return opened && (JSON.parse(opened.payload.toString()) as ServerRecord);
}
