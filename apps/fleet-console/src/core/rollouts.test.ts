import type { Rollout } from '@bowline/messages';
import { describe, expect, test } from 'vitest';
import { inOrder, nextShare, partsOf, signedSteps, standingOf } from './rollouts.ts';

const NOW = 1_000_000;
const rollout = (more: Partial<Rollout> = {}): Rollout => ({
  rolloutId: 'pump-1.4.0',
  group: 'pumps',
  channel: 'stable',
  name: 'pump',
  version: '1.4.0',
  percent: 10,
  status: 'running',
  maxFailedPercent: 5,
  by: 'ada',
  createdAt: 0,
  changedAt: 0,
  signedUntil: NOW + 1,
  groupDevices: 120,
  devices: 12,
  given: 2,
  succeeded: 6,
  failed: 1,
  recalled: 0,
  failures: {},
  ...more,
});

describe('a rollout', () => {
  test('when some devices have not been here, they wait, and each device is counted once', () => {
    expect(partsOf(rollout()).map(({ kind, devices }) => [kind, devices])).toEqual([
      ['done', 6],
      ['failed', 1],
      ['given', 2],
      ['recalled', 0],
      ['waiting', 3],
    ]);
    // A device that was revoked since had it.
    expect(partsOf(rollout({ devices: 8 })).at(-1)?.devices).toBe(0);
  });

  test.each([
    [{}, 'running'],
    [{ signedUntil: NOW }, 'unsigned'],
    [{ succeeded: 11, failed: 1, given: 0 }, 'done'],
    [{ succeeded: 0, failed: 0, given: 0, devices: 0 }, 'running'],
    [{ status: 'paused', signedUntil: NOW }, 'paused'],
    [{ status: 'stopped' }, 'stopped'],
  ] as const)('when it has %j, it stands so: %s', (more, standing) => {
    expect(standingOf(rollout(more), NOW)).toBe(standing);
  });

  test('when a step takes a signature, the command for it is told, with the signer if there is one', () => {
    const commands = (more: Partial<Rollout>, signer?: string) =>
      signedSteps(rollout(more), NOW, signer).map(({ command }) => command);
    expect(commands({})).toEqual(['npx bowline fleet rollout widen pump-1.4.0 25 --sign KEY']);
    expect(commands({ status: 'paused' }, 'https://signer')).toEqual([
      'npx bowline fleet rollout go-on pump-1.4.0 --signer https://signer',
      'npx bowline fleet rollout widen pump-1.4.0 25 --signer https://signer',
    ]);
    expect(commands({ percent: 100, recalled: 1 })).toEqual([
      'npx bowline fleet rollout go-on pump-1.4.0 --sign KEY',
    ]);
    expect(commands({ status: 'stopped' })).toEqual([]);
    expect([0, 1, 7.5, 100].map(nextShare)).toEqual([1, 5, 10, undefined]);
  });

  test('when one was stopped, it comes behind those that were not', () => {
    const ids = inOrder([
      rollout({ status: 'stopped', rolloutId: 'a' }),
      rollout(),
      rollout({ rolloutId: 'c' }),
    ]);
    expect(ids.map(({ rolloutId }) => rolloutId)).toEqual(['pump-1.4.0', 'c', 'a']);
  });
});
