import { expect, test } from 'vitest';
import { formatFull, formatMoment, formatOffset, formatTime } from './time.ts';

const SUMMER = Date.UTC(2026, 6, 1, 22, 30, 5, 42);
const WINTER = Date.UTC(2026, 10, 22, 1, 41, 7);

test('when the zone is not UTC, times are those of that zone on that day', () => {
  expect(formatTime(SUMMER, 'Europe/Berlin')).toBe('00:30:05');
  expect(formatTime(WINTER, 'Europe/Berlin')).toBe('02:41:07');
  expect(formatTime(WINTER, 'Asia/Kolkata')).toBe('07:11:07');
  expect(formatTime(WINTER, 'UTC')).toBe('01:41:07');
});

test('when the offset is asked for, it is the one that holds at that moment', () => {
  expect(formatOffset(SUMMER, 'Europe/Berlin')).toBe('UTC+2');
  expect(formatOffset(WINTER, 'Europe/Berlin')).toBe('UTC+1');
  expect(formatOffset(WINTER, 'Asia/Kolkata')).toBe('UTC+5:30');
  expect(formatOffset(WINTER, 'UTC')).toBe('UTC');
});

test('when a moment is not of today in that zone, its day is written too', () => {
  const now = Date.UTC(2026, 6, 2, 1);
  expect(formatMoment(SUMMER, now, 'Europe/Berlin')).toBe('00:30:05');
  expect(formatMoment(SUMMER, now, 'UTC')).toBe('2026-07-01 22:30:05');
});

test('when everything about a moment is asked for, milliseconds and zone are there', () => {
  expect(formatFull(SUMMER, 'Europe/Berlin')).toBe('2026-07-02 00:30:05.042 UTC+2');
});

test('when it is midnight, the hour is 00 and not 24', () => {
  expect(formatTime(Date.UTC(2026, 0, 1), 'UTC')).toBe('00:00:00');
});
