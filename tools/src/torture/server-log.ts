import { join } from 'node:path';
import { open } from 'lmdb';
import type { Arrival } from './account.ts';

/** Before the JSON of a record: checksum and stamp (libs/server-sdk/src/store). */
const HEAD_BYTES = 4 + 8;

interface StoredMessage {
  type: string;
  seq: number;
  payload: { samples?: { series: string; value: number }[] };
}

/** Every sample of `series` in the log of a server that has stopped, with its lane and seq. */
export async function readArrivals(serverDir: string, deviceId: string, series: string): Promise<Arrival[]> {
  const db = open<Buffer, string>({
    path: join(serverDir, 'store', 'data.mdb'),
    noSubdir: true,
    encoding: 'binary',
    readOnly: true,
  });
  const arrivals: Arrival[] = [];
  for (const lane of ['telemetry', 'history']) {
    const prefix = `log/${deviceId}/${lane}/`;
    for (const { key, value } of db.getRange({ start: prefix, end: `${prefix}~` })) {
      const generation = Number(key.slice(prefix.length).split('/')[0]);
      const frames = JSON.parse(value.subarray(HEAD_BYTES).toString()) as (StoredMessage & {
        messages?: StoredMessage[];
      })[];
      for (const { seq, payload } of frames.flatMap((frame) => frame.messages ?? [frame])) {
        for (const sample of payload.samples ?? []) {
          if (sample.series === series) arrivals.push({ lane, generation, seq, value: sample.value });
        }
      }
    }
  }
  await db.close();
  return arrivals;
}
