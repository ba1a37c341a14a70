import { describe, expect, it } from 'vitest';
import { memoryStore } from './memory-store.ts';
import { Ring, STAMP_BYTES } from './ring.ts';
import { within } from './server-store.ts';

const PREFIX = 'ring/';
const key = (index: number) => `${PREFIX}${String(index).padStart(4, '0')}`;

function fill(limits: { maxBytes: number; maxAgeMs?: number }, records: { bytes: number; at: number }[]) {
  const store = memoryStore();
  const ring = new Ring(store, limits);
  let sum = 0;
  records.forEach(({ bytes, at }, index) => {
    ring.put(key(index), at, () => Buffer.alloc(bytes));
    sum = ring.trim({ prefix: PREFIX, bytes: sum + bytes + STAMP_BYTES, newest: key(index) }, at);
  });
  const entries = store.range(within(PREFIX));
  return {
    keys: entries.map((entry) => entry.key),
    sum,
    real: entries.reduce((n, { value }) => n + value.length, 0),
  };
}

describe('ring', () => {
  it('when it is full, the oldest go, the newest stay, and the sum is that of what is there', () => {
    const { keys, sum, real } = fill(
      { maxBytes: 10_000 },
      Array.from({ length: 500 }, (_, at) => ({ bytes: 92, at })),
    );
    expect(sum).toBe(real);
    expect(real).toBeLessThanOrEqual(10_000);
    expect(real).toBeGreaterThan(8000);
    expect(keys.at(-1)).toBe(key(499));
    expect(keys).toEqual(keys.toSorted());
  });

  it('when one record alone is larger than the ring, it stays until the next comes', () => {
    expect(fill({ maxBytes: 100 }, [{ bytes: 500, at: 1 }]).keys).toEqual([key(0)]);
    expect(
      fill({ maxBytes: 100 }, [
        { bytes: 500, at: 1 },
        { bytes: 10, at: 2 },
      ]).keys,
    ).toEqual([key(1)]);
  });

  it('when records are too old, they go', () => {
    const { keys, sum, real } = fill(
      { maxBytes: 10_000, maxAgeMs: 100 },
      [0, 50, 90, 140, 160, 250].map((at) => ({ bytes: 10, at })),
    );
    expect(keys).toEqual([key(4), key(5)]);
    expect(sum).toBe(real);
  });
});
