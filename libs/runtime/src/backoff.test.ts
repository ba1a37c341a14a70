import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('backoffMs', () => {
  it('when attempts go on, the range doubles up to the cap and the minimum comes on top', () => {
    expect([0, 1, 2, 20].map((attempt) => backoffMs(attempt, 1))).toEqual([1000, 2000, 4000, 120_000]);
    expect(backoffMs(20, 0.25, { minMs: 500, capMs: 4000 })).toBe(1500);
    expect(backoffMs(5000, 0.5)).toBe(60_000);
  });
});
