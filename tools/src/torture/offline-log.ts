import { join } from 'node:path';
import { Environment, unseal } from '@bowline/record-store';
import { DEVICE_ID } from './fleet.ts';

/** Before the JSON of a record: its stamp (libs/server-sdk/src/store). */
const STAMP_BYTES = 8;

interface StoredMessage {
  id: string;
  type: string;
  seq: number;
  payload: { samples?: { series: string; at: number }[]; count?: number; reason?: string };
}

export interface Uploaded {
  /** Moments of a series that came at least once, and again. */
  arrived: number;
  twice: number;
  /** Told by `gap`. */
  givenUp: number;
  /** Of lane `history`. */
  messages: number;
}

/** What a server that has stopped holds of series `week.N`, whose samples were a second apart. */
export async function readUploaded(
  serverDir: string,
  { start, seconds, series }: { start: number; seconds: number; series: number },
): Promise<Uploaded> {
  const env = Environment.open(join(serverDir, 'store', 'store.mdb'), { readOnly: true });
  const seen = Array.from({ length: series }, () => new Uint8Array(seconds));
  const found: Uploaded = { arrived: 0, twice: 0, givenUp: 0, messages: 0 };
  const gaps = new Set<string>();
  for (const lane of ['telemetry', 'history', 'events']) {
    const prefix = `log/${DEVICE_ID}/${lane}/`;
    for (const { key, record } of env.range(Buffer.from(prefix), Buffer.from(`${prefix}~`))) {
      const body = unseal(key, record);
      if (body === undefined) throw new Error(`the record ${key.toString()} of the server is damaged`);
      const frames = JSON.parse(body.subarray(STAMP_BYTES).toString()) as (StoredMessage & {
        messages?: StoredMessage[];
      })[];
      for (const { id, type, payload } of frames.flatMap((frame) => frame.messages ?? [frame])) {
        if (lane === 'history') found.messages += 1;
        if (type === 'gap' && payload.reason === 'thinned' && !gaps.has(id)) {
          gaps.add(id);
          found.givenUp += payload.count ?? 0;
        }
        for (const sample of payload.samples ?? []) count(sample);
      }
    }
  }
  await env.close();
  return found;

  function count({ series: name, at }: { series: string; at: number }): void {
    const moments = name.startsWith('week.') ? seen[Number(name.slice('week.'.length))] : undefined;
    const second = (at - start) / 1000;
    if (moments === undefined) return;
    if (!Number.isInteger(second) || second < 0 || second >= seconds)
      throw new Error(`${name} at ${at} was never sent`);
    if (moments[second] === 1) found.twice += 1;
    else found.arrived += 1;
    moments[second] = 1;
  }
}
