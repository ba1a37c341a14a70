import { expect, test } from 'vitest';
import { MOST_AHEAD_MS, OwnMoments } from './own-moments.ts';

const NOW = 1_790_000_000_000;

test('when samples of a series come at once, each has a moment of its own, and later ones are of now again', () => {
  const moments = new OwnMoments();
  expect([1, 2, 3].map(() => moments.next('a', NOW + 0.4))).toEqual([NOW, NOW + 1, NOW + 2]);
  expect(moments.next('b', NOW)).toBe(NOW);
  expect(moments.next('a', NOW + 1)).toBe(NOW + 3);
  expect(moments.next('a', NOW + 50)).toBe(NOW + 50);
});

test('when more come than there are milliseconds, none is far ahead of now', () => {
  const moments = new OwnMoments();
  const all = Array.from({ length: 5000 }, () => moments.next('a', NOW));
  expect(Math.max(...all)).toBe(NOW + MOST_AHEAD_MS);
  expect(new Set(all).size).toBe(MOST_AHEAD_MS + 1);
});
