import { expect, test } from 'vitest';
import { fromFirstSample, stretchOf, usualWindow } from './time-window.ts';

const MINUTE = 60_000;
const NOW = 1_000_000 * MINUTE;

test.each([
  ['is fresh', 0, 15],
  ['is 8 minutes old', 8, 15],
  ['is 27 minutes old', 27, 60],
  ['is 2 hours old', 120, 360],
  ['is 10 hours old', 600, 1440],
  ['is a week old', 7 * 1440, 60],
])(
  'when the newest sample %s, the window is one that shows what came before it',
  (_, ageMinutes, minutes) => {
    expect(usualWindow(NOW - ageMinutes * MINUTE, NOW)).toBe(minutes * MINUTE);
  },
);

test('when there are samples in the window, it ends now and moves in steps', () => {
  const stretch = stretchOf(15 * MINUTE, NOW - 10_000, NOW + 1);
  expect(stretch).toEqual({ from: NOW + 5_000 - 15 * MINUTE, to: NOW + 5_000, past: false });
});

test('when the newest sample is older than the window, the window ends soon after it', () => {
  const newestAt = NOW - 7 * 1440 * MINUTE;
  const { from, to, past } = stretchOf(60 * MINUTE, newestAt, NOW);
  expect({ past, before: newestAt - from, after: to - newestAt }).toEqual({
    past: true,
    before: 57 * MINUTE,
    after: 3 * MINUTE,
  });
});

test('when a device has only just begun to measure, the stretch begins with its first sample, two minutes at least', () => {
  const stretch = { from: NOW - 15 * MINUTE, to: NOW, past: false };
  expect(fromFirstSample(stretch, NOW - 6 * MINUTE).from).toBe(NOW - 6 * MINUTE);
  expect(fromFirstSample(stretch, NOW - 5_000).from).toBe(NOW - 2 * MINUTE);
  expect(fromFirstSample(stretch, NOW - 40 * MINUTE)).toEqual(stretch);
  expect(fromFirstSample(stretch, Infinity)).toEqual(stretch);
  expect(fromFirstSample(stretch, stretch.from + 30_000)).toEqual(stretch);
  expect(fromFirstSample({ ...stretch, past: true }, NOW - 5_000).from).toBe(stretch.from);
});
