import type { Lane } from '@bowline/messages';
import { keys } from '../store/keys.ts';
import { bodyOf, Ring, STAMP_BYTES, stampOf } from '../store/ring.ts';
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

/** The frames of one commit, taken apart. */
export interface LoggedRecord {
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

/** A record takes in frames while its commit gathers, up to this size. */
const RECORD_BYTES = 64 * 1024;
/** A record is a JSON array of frames: brackets and stamp, and a comma a frame but the first. */
const RECORD_OVERHEAD_BYTES = STAMP_BYTES + 1;

/** A record whose commit has not begun. */
interface OpenRecord {
  commit: Promise<void>;
  key: string;
  lastSeq: number;
  frames: Uint8Array[];
  bytes: number;
  ids: string[];
}

/**
 * The durable copy of what a device sent: the frames as they came, those of one commit in one record, a ring for each
 * lane. What was receipted is here; views (series, events) are read from it.
 */
export class UplinkLog {
  readonly #store: ServerStore;
  readonly #rings: Record<Lane, Ring>;
  readonly #ids: Ring;
  readonly #open = new WeakMap<object, OpenRecord>();

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

  /** @param added a frame with the seqs and, where the lane is deduped by them, the ids in it. Changes the sums in `state`. */
  append(
    deviceId: string,
    state: UplinkState,
    added: { lane: Lane; seq: number; lastSeq: number; ids: string[]; frame: Uint8Array; at: number },
  ): void {
    const { lane, ids, frame, at } = added;
    const sums = state.lanes[lane];
    const record = this.#recordFor(deviceId, state, added);
    record.frames.push(frame);
    record.ids.push(...ids);
    record.bytes += frame.length + 1;
    record.lastSeq = added.lastSeq;
    sums.logBytes += frame.length + 1;
    sums.idsBytes += ids.length * ID_BYTES;
    const log = { prefix: keys.logOf(deviceId, lane), bytes: sums.logBytes, newest: record.key };
    sums.logBytes = this.#rings[lane].trim(log, at);
  }

  #recordFor(
    deviceId: string,
    state: UplinkState,
    { lane, seq, at }: { lane: Lane; seq: number; at: number },
  ): OpenRecord {
    const sums = state.lanes[lane];
    const commit = this.#store.write([]);
    const held = this.#open.get(sums);
    if (held?.commit === commit && held.lastSeq < seq && held.bytes < RECORD_BYTES) return held;

    const key = keys.log(deviceId, lane, state.generation, seq);
    const record: OpenRecord = { commit, key, lastSeq: 0, frames: [], bytes: 0, ids: [] };
    this.#open.set(sums, record);
    // A link may live for weeks without a further frame: its last one is not kept in memory for it.
    const forget = () => {
      if (this.#open.get(sums) === record) this.#open.delete(sums);
    };
    commit.then(forget, forget);
    sums.logBytes += RECORD_OVERHEAD_BYTES;
    this.#rings[lane].put(key, at, () => jsonArray(record.frames));
    if (isDedupedById(lane)) {
      const idsKey = keys.ids(deviceId, lane, state.generation, seq);
      this.#ids.put(idsKey, at, () => packIds(record.ids));
      const ring = { prefix: keys.idsOf(deviceId, lane), bytes: sums.idsBytes + STAMP_BYTES, newest: idsKey };
      sums.idsBytes = this.#ids.trim(ring, at);
    }
    return record;
  }

  /** The record that would hold this seq of this epoch of the device, as far as it is kept. */
  recordOf(deviceId: string, lane: Lane, generation: number, seq: number): LoggedMessage[] {
    const [entry] = this.#store.range({
      from: keys.log(deviceId, lane, generation, 0),
      to: `${keys.log(deviceId, lane, generation, seq)}\0`,
      reverse: true,
      limit: 1,
    });
    return entry === undefined ? [] : messagesOf(entry.value);
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

  /** One step back in time through a lane: the record before the one with this key, or the newest. */
  recordBefore(deviceId: string, lane: Lane, key?: string): LoggedRecord | undefined {
    const range = within(keys.logOf(deviceId, lane));
    const [entry] = this.#store.range({ ...range, to: key ?? range.to, reverse: true, limit: 1 });
    return entry && { key: entry.key, receivedAt: stampOf(entry.value), messages: messagesOf(entry.value) };
  }
}

type StoredFrame = LoggedMessage & { messages?: LoggedMessage[] };

const messagesOf = (value: Buffer): LoggedMessage[] =>
  (JSON.parse(bodyOf(value).toString()) as StoredFrame[]).flatMap((frame) => frame.messages ?? [frame]);

const COMMA = Buffer.from(',');
const [OPENING, CLOSING] = [Buffer.from('['), Buffer.from(']')];

/** Frames are JSON, so they are joined as they came. */
const jsonArray = (frames: readonly Uint8Array[]): Uint8Array[] => [
  OPENING,
  ...frames.flatMap((frame, index) => (index === 0 ? [frame] : [COMMA, frame])),
  CLOSING,
];

const packIds = (ids: readonly string[]): Buffer => Buffer.from(ids.join('').replaceAll('-', ''), 'hex');

function unpackIds(packed: Buffer, into: Set<string>): void {
  for (let at = 0; at + ID_BYTES <= packed.length; at += ID_BYTES) {
    const hex = packed.toString('hex', at, at + ID_BYTES);
    into.add(
      `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    );
  }
}
