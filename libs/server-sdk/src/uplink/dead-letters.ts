import type { Lane } from '@bowline/messages';
import { v7 as uuidv7 } from 'uuid';
import { keys } from '../store/keys.ts';
import { bodyOf, Ring, STAMP_BYTES } from '../store/ring.ts';
import { parse, within, type ServerStore } from '../store/server-store.ts';

/** A message that was refused for good, kept before the device is told (protocol, section 4). */
export interface DeadLetterRecord {
  /** Of the message; absent if it had none that reads. */
  id?: string;
  type?: string;
  lane?: Lane;
  seq?: number;
  /** Which epoch of the device `seq` belongs to. */
  generation?: number;
  code: string;
  detail: string;
  /** When it was refused, epoch milliseconds. */
  at: number;
  /** The message as it came, cut if it is long. */
  message: string;
}

const MAX_BYTES = 1024 * 1024;
const MAX_MESSAGE_CHARACTERS = 16 * 1024;

export class DeadLetters {
  readonly #store: ServerStore;
  readonly #ring: Ring;

  constructor(store: ServerStore) {
    this.#store = store;
    this.#ring = new Ring(store, { maxBytes: MAX_BYTES });
  }

  /** Changes the sum in `state`. */
  append(deviceId: string, state: { deadLetterBytes: number }, record: DeadLetterRecord): void {
    const kept = { ...record, message: record.message.slice(0, MAX_MESSAGE_CHARACTERS) };
    const body = Buffer.from(JSON.stringify(kept));
    const newest = keys.deadLetter(deviceId, uuidv7());
    this.#ring.put(newest, record.at, () => body);
    const bytes = state.deadLetterBytes + STAMP_BYTES + body.length;
    state.deadLetterBytes = this.#ring.trim(
      { prefix: keys.deadLettersOf(deviceId), bytes, newest },
      record.at,
    );
  }

  /** What was refused under this seq and id in this epoch. */
  find(deviceId: string, wanted: { id: string; lane: Lane; seq: number; generation: number }) {
    return this.list(deviceId).find(
      ({ id, lane, seq, generation }) =>
        id === wanted.id && lane === wanted.lane && seq === wanted.seq && generation === wanted.generation,
    );
  }

  /** Newest first. */
  list(deviceId: string, limit?: number): DeadLetterRecord[] {
    return this.#store
      .range({
        ...within(keys.deadLettersOf(deviceId)),
        reverse: true,
        ...(limit === undefined ? {} : { limit }),
      })
      .map(({ value }) => parse<DeadLetterRecord>(bodyOf(value)));
  }
}
