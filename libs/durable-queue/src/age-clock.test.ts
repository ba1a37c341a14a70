import { expect, test } from 'vitest';
import { ageMs, saveAge, type SavedAge } from './age-clock.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const saved: SavedAge = { ms: 1000, bootId: 'one', monotonicMs: 500 };

test('when the process restarts within a boot, the age goes on by the monotonic clock', () => {
  expect(ageMs(saved, { bootId: 'one', monotonicMs: 700 })).toBe(1200);
});

test('when the clock of the same boot goes back, the age stands still', () => {
  expect(ageMs(saved, { bootId: 'one', monotonicMs: 100 })).toBe(1000);
});

test('when the device was rebooted, at least the uptime has passed', () => {
  expect(ageMs(saved, { bootId: 'two', monotonicMs: 300 })).toBe(1300);
});

test('when the server time is known before and after a reboot, the time in between counts too', () => {
  const before = saveAge(saved, { bootId: 'one', monotonicMs: 600, serverMs: 5 * DAY_MS });
  const offline = saveAge(before, { bootId: 'two', monotonicMs: 10 });
  expect(offline.ms).toBe(1110);
  expect(ageMs(offline, { bootId: 'two', monotonicMs: 40, serverMs: 8 * DAY_MS })).toBe(1100 + 3 * DAY_MS);
});

test('when a server tells a wrong time within a boot, the age does not believe it', () => {
  const before = saveAge(saved, { bootId: 'one', monotonicMs: 600, serverMs: DAY_MS });
  expect(ageMs(before, { bootId: 'one', monotonicMs: 610, serverMs: 1000 * DAY_MS })).toBe(1110);
});

test('when the server time went back over a reboot, the age does not', () => {
  const before = saveAge(saved, { bootId: 'one', monotonicMs: 600, serverMs: 9 * DAY_MS });
  expect(ageMs(before, { bootId: 'two', monotonicMs: 10, serverMs: DAY_MS })).toBe(1110);
});
