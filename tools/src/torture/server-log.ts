import { join } from 'node:path';
import { Environment, unseal } from '@bowline/record-store';
import type { Arrival } from './account.ts';
import { SERIES } from './producer.ts';

/** Before the JSON of a record: its stamp (libs/server-sdk/src/store). */
const STAMP_BYTES = 8;

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
  const env = Environment.open(join(serverDir, 'store', 'store.mdb'), { readOnly: true });
  const arrivals: Arrivals = { producer: [], collector: [] };
  for (const lane of ['telemetry', 'history']) {
    const prefix = `log/${deviceId}/${lane}/`;
    for (const { key, record } of env.range(Buffer.from(prefix), Buffer.from(`${prefix}~`))) {
      const generation = Number(key.toString().slice(prefix.length).split('/')[0]);
      const body = unseal(key, record);
      if (body === undefined) throw new Error(`the record ${key.toString()} of the server is damaged`);
      const frames = JSON.parse(body.subarray(STAMP_BYTES).toString()) as (StoredMessage & {
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
  await env.close();
  return arrivals;
}
