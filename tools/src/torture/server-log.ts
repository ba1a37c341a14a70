import { join } from 'node:path';
import { open } from 'lmdb';
import type { Arrival } from './account.ts';
import { SERIES } from './producer.ts';

/** Before the JSON of a record: checksum and stamp (libs/server-sdk/src/store). */
const HEAD_BYTES = 4 + 8;

interface StoredMessage {
  id: string;
  type: string;
  seq: number;
  payload: { samples?: { series: string; value: number }[] };
}

/** What came from the producer, by the numbers that it counted, and from the collector, by the ids of its messages. */
export interface Arrivals {
  producer: Arrival<number>[];
  collector: Arrival<string>[];
}

/** Every message with samples in the log of a server that has stopped. */
export async function readArrivals(serverDir: string, deviceId: string): Promise<Arrivals> {
  const db = open<Buffer, string>({
    path: join(serverDir, 'store', 'data.mdb'),
    noSubdir: true,
    encoding: 'binary',
    readOnly: true,
  });
  const arrivals: Arrivals = { producer: [], collector: [] };
  for (const lane of ['telemetry', 'history']) {
    const prefix = `log/${deviceId}/${lane}/`;
    for (const { key, value } of db.getRange({ start: prefix, end: `${prefix}~` })) {
      const generation = Number(key.slice(prefix.length).split('/')[0]);
      const frames = JSON.parse(value.subarray(HEAD_BYTES).toString()) as (StoredMessage & {
        messages?: StoredMessage[];
      })[];
      for (const { id, seq, payload } of frames.flatMap((frame) => frame.messages ?? [frame])) {
        const [sample] = payload.samples ?? [];
        if (sample === undefined) continue;
        const place = { lane, generation, seq };
        if (sample.series === SERIES) arrivals.producer.push({ ...place, key: sample.value });
        else arrivals.collector.push({ ...place, key: id });
      }
    }
  }
  await db.close();
  return arrivals;
}
