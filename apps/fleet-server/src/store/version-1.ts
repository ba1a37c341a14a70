import { crc32 } from 'node:zlib';
import { Chunk, copyRange, Environment } from '@bowline/record-store';
import { keys, STORE_SCHEMA_VERSION, type ServerRecord } from '@bowline/server-sdk/store';
import { EVERYTHING } from './inspect.ts';
import { framed, textOf } from './lmdb-backend.ts';

/** Where a store of version 1 kept its file. */
export const VERSION_1_FILE = 'data.mdb';
const CHECKSUM_BYTES = 4;

/**
 * A store of version 1, whose values were a CRC-32 and the body, without their key: each is put into the frame of a record,
 * in a new file. The old one is untouched until the new one has taken its place.
 *
 * @returns how many records did not read; they are left behind.
 */
export async function migrateVersion1(file: string, next: string): Promise<{ unreadable: number }> {
  const from = Environment.open(file, { readOnly: true });
  const to = Environment.open(next);
  let unreadable = 0;
  try {
    const chunk = new Chunk(to);
    await copyRange(from, EVERYTHING.from, EVERYTHING.to, chunk, (key, sealed) => {
      const body = sealed.subarray(CHECKSUM_BYTES);
      if (sealed.length < CHECKSUM_BYTES || sealed.readUInt32LE() !== crc32(body)) unreadable += 1;
      else chunk.put(key, framed(textOf(key), [current(textOf(key), body)], 1));
    });
    await chunk.flush();
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
  return { unreadable };
}

function current(key: string, body: Buffer): Buffer {
  if (key !== keys.server) return body;
  const record = JSON.parse(body.toString()) as Omit<ServerRecord, 'starts'>;
  return Buffer.from(JSON.stringify({ ...record, schemaVersion: STORE_SCHEMA_VERSION, starts: 0 }));
}
