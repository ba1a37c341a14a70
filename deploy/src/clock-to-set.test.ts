import { expect, test } from 'vitest';
import { clockToSet } from './clock-to-set.ts';

const BUILD = Date.UTC(2026, 5);
const TRUSTED = Date.UTC(2026, 10);

test.each([
  ['starts in 1970 and has met its server', { nowMs: 0, buildMs: BUILD, trustedMs: TRUSTED }, TRUSTED],
  ['starts in 1970 and has not', { nowMs: 0, buildMs: BUILD, trustedMs: undefined }, BUILD],
  ['was updated since it met its server', { nowMs: 0, buildMs: TRUSTED, trustedMs: BUILD }, TRUSTED],
  ['is a little behind', { nowMs: TRUSTED - 1, buildMs: BUILD, trustedMs: TRUSTED }, TRUSTED],
  ['is right', { nowMs: TRUSTED, buildMs: BUILD, trustedMs: TRUSTED }, undefined],
  ['is ahead', { nowMs: TRUSTED + 1, buildMs: BUILD, trustedMs: TRUSTED }, undefined],
  ['is told of a time that cannot be', { nowMs: 0, buildMs: BUILD, trustedMs: Date.UTC(2060, 0) }, BUILD],
  ['is told of no number', { nowMs: 0, buildMs: BUILD, trustedMs: Number.NaN }, BUILD],
])('when a clock %s, it is raised to what is known, or left alone', (_, clocks, expected) => {
  expect(clockToSet(clocks)).toBe(expected);
});
