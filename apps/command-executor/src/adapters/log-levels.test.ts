import { TransientError, RejectedError } from '@bowline/runtime/errors';
import { FakeClock, waitFor } from '@bowline/testing';
import { beforeEach, expect, test } from 'vitest';
import { LogLevels, type KeptReturn } from './log-levels.ts';

let clock: FakeClock;
let level: string;
let failures: Error[];
let asked: string[];
let warned: unknown[];
let levels: LogLevels;
let kept: KeptReturn[];
let bootId: string;
beforeEach(() => {
  clock = new FakeClock();
  [level, failures, asked, warned, kept, bootId] = ['info', [], [], [], [], 'boot-1'];
  levels = start();
});

/** As a life of the executor does. */
const start = (): LogLevels =>
  new LogLevels({
    apply: (_, wanted) => {
      asked.push(wanted);
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      const before = level;
      level = wanted;
      return Promise.resolve(before);
    },
    clock,
    now: () => ({ bootId, monotonicMs: clock.monotonicMs() }),
    kept: { read: () => kept, write: (all) => void (kept = [...all]) },
    log: { info: () => {}, warn: (fields: unknown) => void warned.push(fields) } as never,
  });

test('when the time is over, the level is what it was before', async () => {
  expect(await levels.set('ws-gateway', 'debug', 1000)).toBe('info');
  await clock.advance(999);
  expect(level).toBe('debug');
  await clock.advance(1);
  await waitFor(() => level === 'info');
  expect(clock.pendingTimers).toBe(0);
});

test('when the app is away at that moment, it is asked again until it takes its level back', async () => {
  await levels.set('ws-gateway', 'debug', 1000);
  failures.push(new TransientError('away', 'away'), new TransientError('away', 'away'));
  await clock.advance(1000);
  expect(level).toBe('debug');
  await clock.advance(600_000);
  await waitFor(() => level === 'info');
  expect(asked).toEqual(['debug', 'info', 'info', 'info']);
});

test('when it is refused for good, that is in the log', async () => {
  await levels.set('ws-gateway', 'debug', 1000);
  failures.push(new RejectedError('unknown-app', 'no such app'));
  await clock.advance(1000);
  await waitFor(() => warned.length === 1);
  expect(warned).toEqual([{ about: 'ws-gateway', level: 'info', code: 'unknown-app' }]);
});

test('when a later order has no time, its level stays; with a time, what was before both comes back', async () => {
  await levels.set('ws-gateway', 'debug', 1000);
  await levels.set('ws-gateway', 'warn', undefined);
  await clock.advance(1000);
  expect([level, clock.pendingTimers]).toEqual(['warn', 0]);
  await levels.set('ws-gateway', 'debug', 1000);
  await levels.set('ws-gateway', 'error', 5000);
  await clock.advance(1000);
  expect(level).toBe('error');
  await clock.advance(4000);
  await waitFor(() => level === 'warn');
});

test('when the executor starts anew meanwhile, the level goes back in its time; after a boot there is nothing to go back', async () => {
  await levels.set('ws-gateway', 'debug', 1000);
  clock = new FakeClock(); // of a new process, whose boot goes on: the old one's timers are gone
  start();
  expect(kept).toHaveLength(1);
  await clock.advance(1000);
  await waitFor(() => level === 'info');
  await waitFor(() => kept.length === 0);
  await levels.set('ws-gateway', 'debug', 1000);
  clock = new FakeClock();
  bootId = 'boot-2';
  start();
  expect(clock.pendingTimers).toBe(0);
});
