import type { Lane } from '@bowline/messages';
import { keys } from '../store/keys.ts';
import { bodyOf, Ring, stampOf } from '../store/ring.ts';
import { within, type ServerStore } from '../store/server-store.ts';
import type { UplinkState } from './uplink-state.ts';

/** A message as it stands in a stored frame. */
export interface LoggedMessage {
  id: string;
  type: string;
  seq: number;
  sentAt: number;
  payload: Record<string, unknown>;
}

export interface LoggedFrame {
  key: string;
  receivedAt: number;
  /** By rising seq. */
  messages: LoggedMessage[];
}

/** How much of each lane is kept of one device, bytes. */
export type LogLimits = Record<Lane, number>;

/** For how long `results` and `events` are known again by their ids (protocol, section 3). */
const IDS_KEPT_MS = 7 * 24 * 3600 * 1000;
const IDS_MAX_BYTES = 4 * 1024 * 1024;
const ID_BYTES = 16;

/** Whether a lane is deduped by id across the device's epochs; the samples of the others are by series and time. */
export const isDedupedById = (lane: Lane): boolean => lane === 'results' || lane === 'events';

/**
 * The durable copy of what a device sent: each frame as it came, one record a frame, a ring for each lane. What was
 * receipted is here; views (series, events) are read from it.
 */
export class UplinkLog {
  readonly #store: ServerStore;
  readonly #rings: Record<Lane, Ring>;
  readonly #ids: Ring;

  constructor(store: ServerStore, limits: LogLimits) {
    this.#store = store;
    const ring = (lane: Lane) => new Ring(store, { maxBytes: limits[lane] });
    this.#rings = {
      results: ring('results'),
      events: ring('events'),
      telemetry: ring('telemetry'),
      history: ring('history'),
    };
    this.#ids = new Ring(store, { maxBytes: IDS_MAX_BYTES, maxAgeMs: IDS_KEPT_MS });
  }

  /** @param frame its bytes on the wire. Changes the sums in `state`. */
  append(
    deviceId: string,
    state: UplinkState,
    { lane, seq, ids, frame, at }: { lane: Lane; seq: number; ids: string[]; frame: Uint8Array; at: number },
  ): void {
    const sums = state.lanes[lane];
    sums.logBytes = this.#rings[lane].append(
      { prefix: keys.logOf(deviceId, lane), bytes: sums.logBytes },
      { key: keys.log(deviceId, lane, state.generation, seq), body: frame, at },
    );
    if (!isDedupedById(lane)) return;
    sums.idsBytes = this.#ids.append(
      { prefix: keys.idsOf(deviceId, lane), bytes: sums.idsBytes },
      { key: keys.ids(deviceId, lane, state.generation, seq), body: packIds(ids), at },
    );
  }

  /** The message under a seq of the current epoch, as far as it is still held. */
  find(deviceId: string, lane: Lane, generation: number, seq: number): LoggedMessage | undefined {
    const [entry] = this.#store.range({
      from: keys.log(deviceId, lane, generation, 0),
      to: `${keys.log(deviceId, lane, generation, seq)}\0`,
      reverse: true,
      limit: 1,
    });
    return entry && messagesOf(entry.value).find((message) => message.seq === seq);
  }

  /** Ids that came in epochs before this one, at most 7 days ago. */
  idsBefore(deviceId: string, lane: Lane, generation: number, now: number): Set<string> {
    const ids = new Set<string>();
    const range = { from: keys.idsOf(deviceId, lane), to: keys.ids(deviceId, lane, generation, 0) };
    for (const { value } of this.#store.range(range)) {
      if (now - stampOf(value) <= IDS_KEPT_MS) unpackIds(bodyOf(value), ids);
    }
    return ids;
  }

  /** One step back in time through a lane: the frame before the one with this key, or the newest. */
  frameBefore(deviceId: string, lane: Lane, key?: string): LoggedFrame | undefined {
    const range = within(keys.logOf(deviceId, lane));
    const [entry] = this.#store.range({ ...range, to: key ?? range.to, reverse: true, limit: 1 });
    return entry && { key: entry.key, receivedAt: stampOf(entry.value), messages: messagesOf(entry.value) };
  }
}

function messagesOf(value: Buffer): LoggedMessage[] {
  const frame = JSON.parse(bodyOf(value).toString()) as LoggedMessage & { messages?: LoggedMessage[] };
  return frame.messages ?? [frame];
}

const packIds = (ids: readonly string[]): Buffer => Buffer.from(ids.join('').replaceAll('-', ''), 'hex');

function unpackIds(packed: Buffer, into: Set<string>): void {
  for (let at = 0; at + ID_BYTES <= packed.length; at += ID_BYTES) {
    const hex = packed.toString('hex', at, at + ID_BYTES);
    into.add(
      `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    );
  }
}
