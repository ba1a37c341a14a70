import { remove, within, type Body, type ServerStore } from './server-store.ts';

/** Bytes of a record besides its body. */
export const STAMP_BYTES = 8;
/** Over its cap a ring is emptied down to this part of it, so that eviction is rare and in bulk. */
const LOW_WATER = 0.9;
const EVICT_AT_ONCE = 16;

export interface RingLimits {
  maxBytes: number;
  /** What is older goes as well; default never. */
  maxAgeMs?: number;
}

/** Records in order of their keys, the oldest of which make room for new ones. The caller keeps the sum of their bytes. */
export class Ring {
  readonly #store: ServerStore;
  readonly #limits: RingLimits;

  constructor(store: ServerStore, limits: RingLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** @param at when it was made, epoch milliseconds. @param body asked when the commit begins. */
  put(key: string, at: number, body: () => Body): void {
    void this.#store.write([{ key, value: () => stamped(body(), at) }]);
  }

  /**
   * To be called after each growth.
   *
   * @param ring its prefix, the sum of bytes that it holds, and the newest record, which stays.
   * @returns the sum that it holds then.
   */
  trim({ prefix, bytes, newest }: { prefix: string; bytes: number; newest: string }, now: number): number {
    const { maxBytes, maxAgeMs = Infinity } = this.#limits;
    const full = bytes > maxBytes;
    if (!full && maxAgeMs === Infinity) return bytes;
    const enough = full ? maxBytes * LOW_WATER : maxBytes;
    const limit = full ? EVICT_AT_ONCE : 1;
    let left = bytes;
    for (;;) {
      const oldest = this.#store.range({ ...within(prefix), limit, headBytes: STAMP_BYTES });
      for (const { key, value, bytes = 0 } of oldest) {
        const stays = left <= enough && now - stampOf(value) <= maxAgeMs;
        if (stays || key === newest) return left;
        void this.#store.write([remove(key)]);
        left -= bytes;
      }
      if (oldest.length < limit) return left;
    }
  }
}

/** When the record was made, epoch milliseconds. */
export const stampOf = (value: Buffer): number => value.readDoubleLE();
export const bodyOf = (value: Buffer): Buffer => value.subarray(STAMP_BYTES);

function stamped(body: Body, at: number): Uint8Array[] {
  const stamp = Buffer.allocUnsafe(STAMP_BYTES);
  stamp.writeDoubleLE(at);
  return [stamp, ...(body instanceof Uint8Array ? [body] : body)];
}
