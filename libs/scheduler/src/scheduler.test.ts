import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@bowline/runtime';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { nextMoment } from './schedule.ts';
import { Scheduler, type Job } from './scheduler.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let file: string;
let clock: FakeClock;
let starts: number[];
beforeEach(() => {
  file = join(temporaryFolder(), 'jobs.json');
  clock = new FakeClock();
  starts = [];
});

const scheduler = (random = 0) => new Scheduler({ file, clock, log, random: () => random });
const job = (fields: Partial<Job> = {}): Job => ({
  name: 'upload',
  schedule: { everyMs: HOUR },
  jitterMs: 0,
  missed: 'run',
  run: () => {
    starts.push(clock.wallMs());
    return Promise.resolve();
  },
  ...fields,
});
const begin = Date.UTC(2026, 0, 1);
const hoursOf = () => starts.map((at) => (at - begin) / HOUR);

describe('Scheduler', () => {
  test('when a job has an interval, it runs once each', async () => {
    scheduler().set(job());
    await clock.advance(3 * HOUR);
    expect(hoursOf()).toEqual([1, 2, 3]);
  });

  test('when a job has a cron expression, it runs at its moments', async () => {
    scheduler().set(job({ schedule: { cron: '30 */6 * * *' } }));
    await clock.advance(DAY);
    expect(hoursOf()).toHaveLength(4);
    expect(starts.every((at) => new Date(at).getMinutes() === 30 && new Date(at).getHours() % 6 === 0)).toBe(
      true,
    );
  });

  test('when there is jitter, each moment is put off by its part', async () => {
    scheduler(0.5).set(job({ schedule: { cron: '0 * * * *' }, jitterMs: 10 * MINUTE }));
    await clock.advance(2.5 * HOUR);
    expect(starts.map((at) => new Date(at).getMinutes())).toEqual([5, 5]);
  });

  test('when it still runs as it is due again, that moment is left out and counted', async () => {
    let end = () => {};
    const subject = scheduler();
    subject.set(
      job({
        run: () => {
          starts.push(clock.wallMs());
          return new Promise<void>((resolve) => (end = resolve));
        },
      }),
    );
    await clock.advance(3 * HOUR);
    expect([hoursOf(), subject.view()[0]?.skipped, subject.view()[0]?.state]).toEqual([[1], 2, 'running']);
    end();
    await clock.advance(HOUR);
    expect(hoursOf()).toEqual([1, 4]);
  });

  test('when the app was off while it was due, it runs once after the start, or not at all, as it is told', async () => {
    const first = scheduler();
    first.set(job());
    first.set(job({ name: 'other' }));
    await clock.advance(HOUR);
    await first.stop();
    starts = [];
    await clock.advance(10 * HOUR);
    const second = scheduler();
    second.set(job());
    second.set(job({ name: 'other', missed: 'skip', run: () => Promise.reject(new Error('not now')) }));
    await clock.advance(1);
    expect(hoursOf()).toEqual([11]);
    expect(second.view()).toMatchObject([{ runs: 2 }, { runs: 1 }]);
  });

  test('when the machine slept over many moments, one run makes up for all of them', async () => {
    scheduler().set(job());
    await clock.advance(HOUR);
    // Asleep: the wall clock went on, timers and monotonic time did not.
    clock.setWallMs(clock.wallMs() + 8 * HOUR);
    await clock.advance(MINUTE);
    expect(hoursOf()).toHaveLength(2);
    await clock.advance(HOUR);
    expect(hoursOf()).toHaveLength(3);
  });

  test('when the machine slept and what was missed is to be left out, it runs at its next moment', async () => {
    const subject = scheduler();
    subject.set(job({ missed: 'skip' }));
    await clock.advance(HOUR);
    clock.setWallMs(clock.wallMs() + 8 * HOUR);
    await clock.advance(MINUTE);
    expect([hoursOf(), subject.view()[0]?.skipped]).toEqual([[1], 1]);
    await clock.advance(HOUR);
    expect(hoursOf()).toHaveLength(2);
  });

  test('when the clock is set back by years, the job does not wait for them', async () => {
    scheduler().set(job());
    await clock.advance(HOUR);
    clock.setWallMs(Date.UTC(2020, 0, 1));
    await clock.advance(HOUR + MINUTE);
    expect(starts).toHaveLength(2);
  });

  test('when it fails, it is tried again with backoff before its next moment, and says why', async () => {
    let fails = true;
    const subject = scheduler(0.999);
    subject.set(
      job({
        schedule: { everyMs: DAY },
        run: () => {
          starts.push(clock.wallMs());
          return fails ? Promise.reject(new Error('no room')) : Promise.resolve();
        },
      }),
    );
    await clock.advance(DAY + 5 * MINUTE);
    expect(starts.length).toBeGreaterThanOrEqual(2);
    expect(subject.view()[0]).toMatchObject({ lastError: 'Error: no room', state: 'waiting' });
    fails = false;
    await clock.advance(2 * HOUR);
    const { lastError, succeededAt } = subject.view()[0] ?? {};
    expect([lastError, succeededAt]).toEqual([undefined, starts.at(-1)]);
    const count = starts.length;
    await clock.advance(12 * HOUR);
    expect(starts).toHaveLength(count);
  });

  test('when it is told to run now, it does, beside its schedule, and not twice at a time', async () => {
    let end = () => {};
    const subject = scheduler();
    subject.set(job({ run: () => new Promise<void>((resolve) => (end = resolve)) }));
    const running = subject.runNow('upload');
    expect(() => subject.runNow('upload')).toThrow(expect.objectContaining({ code: 'job-running' }));
    expect(() => subject.runNow('nothing')).toThrow(expect.objectContaining({ code: 'unknown-job' }));
    end();
    await running;
    expect(subject.view()[0]).toMatchObject({ runs: 1, state: 'waiting', succeededAt: begin });
  });

  test('when the app stops, the job is told, waited for, and runs again after the start', async () => {
    const first = scheduler();
    first.set(
      job({
        run: (signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error));
          }),
      }),
    );
    await clock.advance(HOUR);
    await first.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(first.view()[0]).toMatchObject({ failures: 0 });
  });

  test('when the file of the last runs is spoilt, it starts as if nothing were known', async () => {
    writeFileSync(file, '{"upload": ');
    const subject = scheduler();
    subject.set(job());
    await clock.advance(HOUR);
    expect(hoursOf()).toEqual([1]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ upload: { runs: 1 } });
  });

  test('when an expression is none, it says what one looks like', () => {
    expect(() => scheduler().set(job({ schedule: { cron: '61 * * * *' } }))).toThrow(
      expect.objectContaining({ code: 'schedule-invalid', message: expect.stringContaining('"30 3 * * *"') }),
    );
  });

  test('when a moment never comes, there is none', () => {
    expect(nextMoment({ cron: '0 0 30 2 *' }, begin, undefined)).toBeUndefined();
  });
});
