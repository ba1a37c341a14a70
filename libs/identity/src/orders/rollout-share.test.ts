import { expect, test } from 'vitest';
import { deviceHash, isInRollout, shareOf } from './rollout-share.ts';

const devices = Array.from({ length: 2000 }, (_, index) => `device-${index}`);
const chosen = (percent: number, salt: string) =>
  devices.filter((device) => isInRollout({ percent, salt }, device));

test('when a share of the fleet is asked for, about that share is chosen', () => {
  for (const percent of [5, 20, 50])
    expect(Math.abs(chosen(percent, 'a').length / devices.length - percent / 100)).toBeLessThan(0.03);
  expect(chosen(0, 'a')).toEqual([]);
  expect(chosen(100, 'a')).toEqual(devices);
  expect(isInRollout(undefined, 'any')).toBe(true);
});

test('when the share is raised under the same salt, devices are only added; another salt chooses others', () => {
  const few = chosen(10, 'a');
  const more = new Set(chosen(30, 'a'));
  expect(few.every((device) => more.has(device))).toBe(true);
  expect(chosen(10, 'b')).not.toEqual(few);
});

test('when a share is computed, it is the first four bytes of the hash as part of a hundred', () => {
  expect(shareOf(0)).toBe(0);
  expect(shareOf(2 ** 31)).toBe(50);
  expect(shareOf(2 ** 32 - 1)).toBeLessThan(100);
  // printf 's:d' | sha256sum
  expect(deviceHash('s', 'd')).toBe(0x9d1ff413);
});
