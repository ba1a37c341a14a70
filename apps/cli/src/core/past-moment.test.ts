import { expect, test } from 'vitest';
import { pastMoment } from './past-moment.ts';

const NOW = Date.UTC(2026, 10, 25, 12);

test('when a duration is given, it is so long ago', () => {
  expect([pastMoment('2h', NOW), pastMoment('now', NOW)]).toEqual([NOW - 7_200_000, NOW]);
});

test('when a date and time are given, they are taken, with or without a zone', () => {
  expect(pastMoment('2026-11-25T10:00:00Z', NOW)).toBe(NOW - 7_200_000);
  expect(pastMoment('2026-11-25 10:00', NOW)).toBe(new Date(2026, 10, 25, 10).getTime());
});

test('when it is neither, there is no moment', () => {
  expect(['yesterday', '2026-13-45', ''].map((text) => pastMoment(text, NOW))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
