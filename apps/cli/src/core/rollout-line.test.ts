import type { Rollout } from '@bowline/messages';
import { expect, test } from 'vitest';
import { rolloutAdvice, rolloutLine } from './rollout-line.ts';

const rollout: Rollout = {
  rolloutId: 'pump-1.4.0',
  group: 'pumps',
  channel: 'stable',
  name: 'pump',
  version: '1.4.0',
  percent: 1,
  status: 'running',
  maxFailedPercent: 5,
  by: 'ann',
  createdAt: 0,
  changedAt: 0,
  signedUntil: 1000,
  groupDevices: 100_000,
  devices: 1012,
  given: 12,
  succeeded: 900,
  failed: 2,
  recalled: 0,
  failures: {},
};

test('when a rollout runs, its line says how far it is, and who has not been given it', () => {
  const line = '1012 of 100000 devices (1 %), 900 done, 2 failed, 12 under way, 98 waiting';
  expect(rolloutLine(rollout)).toBe(line);
  expect(rolloutLine({ ...rollout, given: 10, recalled: 2 })).toContain('98 waiting, 2 called off');
  expect(rolloutAdvice(rollout, 999)).toBeUndefined();
});

test('when it reaches no device, it says so, and what would change that', () => {
  const empty = { ...rollout, groupDevices: 0, devices: 0, given: 0, succeeded: 0, failed: 0 };
  expect(rolloutAdvice(empty, 0)).toMatch(
    /^no device is in the group pumps yet.*tokens create --group pumps/,
  );
  expect(rolloutAdvice({ ...empty, groupDevices: 3 }, 0)).toMatch(
    /^1 % of 3 devices is none.*widen pump-1\.4\.0/,
  );
  expect(rolloutAdvice({ ...empty, status: 'stopped' }, 0)).toBeUndefined();
});

test('when it does not go on by itself, it says why and how it does', () => {
  expect(rolloutAdvice(rollout, 1000)).toMatch(/signature has expired.*go-on pump-1\.4\.0/);
  const why = '51 of 1012 devices failed: probe-failed 51';
  expect(rolloutAdvice({ ...rollout, status: 'paused', why }, 0)).toMatch(/^paused: 51 of .*go-on/);
  expect(rolloutAdvice({ ...rollout, status: 'stopped', why: 'by ann' }, 0)).toBe('stopped by ann');
});
