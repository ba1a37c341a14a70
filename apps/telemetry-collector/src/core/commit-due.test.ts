import { describe, expect, test } from 'vitest';
import { commitInMs } from './commit-due.ts';

const limits = { commitMs: 30_000, batchSamples: 100, batchBytes: 1000 };
const buffer = { samples: 1, bytes: 10, isEmpty: false, oldestSinceMs: 5000 };

describe('commitInMs', () => {
  test('when there is nothing, nothing is due', () => {
    const empty = { samples: 0, bytes: 0, isEmpty: true, oldestSinceMs: undefined };
    expect(commitInMs(empty, limits, { nowMs: 0, first: true })).toBe(undefined);
  });

  test('when samples wait, the oldest decides', () => {
    expect(commitInMs(buffer, limits, { nowMs: 6000, first: false })).toBe(29_000);
    expect(commitInMs(buffer, limits, { nowMs: 99_000, first: false })).toBe(0);
  });

  test('when nothing was handed over yet, it goes within a second', () => {
    expect(commitInMs(buffer, limits, { nowMs: 5100, first: true })).toBe(900);
  });

  test.each([
    ['count', { ...buffer, samples: 100 }],
    ['size', { ...buffer, bytes: 1000 }],
  ])('when the %s of a message is reached, it goes at once', (_, full) => {
    expect(commitInMs(full, limits, { nowMs: 5000, first: false })).toBe(0);
  });

  test('when the window is 0, every sample goes at once', () => {
    expect(commitInMs(buffer, { ...limits, commitMs: 0 }, { nowMs: 5000, first: false })).toBe(0);
  });
});
