import { remove, within, type ServerStore } from './server-store.ts';

const STAMP_BYTES = 8;
/** Over its cap a ring is emptied down to this part of it, so that eviction is rare and in bulk. */
const LOW_WATER = 0.9;
const EVICT_AT_ONCE = 64;

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

  /** @returns the sum of bytes that the ring holds then. */
  append(
    ring: { prefix: string; bytes: number },
    record: { key: string; body: Uint8Array; at: number },
  ): number {
    const value = stamped(record.body, record.at);
    void this.#store.write([{ key: record.key, value }]);
    const bytes = ring.bytes + value.length;
    return bytes - this.#evict(ring.prefix, bytes, record.at);
  }

  /** @returns the bytes that went. */
  #evict(prefix: string, bytes: number, now: number): number {
    const { maxBytes, maxAgeMs = Infinity } = this.#limits;
    const full = bytes > maxBytes;
    if (!full && maxAgeMs === Infinity) return 0;
    const enough = full ? maxBytes * LOW_WATER : maxBytes;
    let gone = 0;
    for (;;) {
      const limit = full ? EVICT_AT_ONCE : 1;
      const oldest = this.#store.range({ ...within(prefix), limit });
      for (const { key, value } of oldest) {
        if (bytes - gone <= enough && now - stampOf(value) <= maxAgeMs) return gone;
        void this.#store.write([remove(key)]);
        gone += value.length;
      }
      if (oldest.length < limit) return gone;
    }
  }
}

/** When the record was made, epoch milliseconds. */
export const stampOf = (value: Buffer): number => value.readDoubleLE();
export const bodyOf = (value: Buffer): Buffer => value.subarray(STAMP_BYTES);

function stamped(body: Uint8Array, at: number): Buffer {
  const value = Buffer.allocUnsafe(STAMP_BYTES + body.length);
  value.writeDoubleLE(at);
  value.set(body, STAMP_BYTES);
  return value;
}
