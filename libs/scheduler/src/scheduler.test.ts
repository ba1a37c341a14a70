import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@bowline/runtime';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { nextMoment } from './schedule.ts';
import type { Job } from './job.ts';
import { Scheduler } from './scheduler.ts';

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
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
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

  test('when the app stops, the job is told and waited for; after the start it is gone on with soon', async () => {
    const first = scheduler();
    first.set(job({ schedule: { everyMs: DAY }, run: untilAborted }));
    await clock.advance(DAY);
    await first.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(first.view()[0]).toMatchObject({ failures: 0 });
    expect(() => first.runNow('upload')).toThrow(expect.objectContaining({ code: 'stopping' }));
    const second = scheduler(0.5);
    second.set(job({ schedule: { everyMs: DAY } }));
    await clock.advance(2 * MINUTE);
    expect(hoursOf().map(Math.floor)).toEqual([24]);
    await clock.advance(3 * HOUR);
    expect(starts).toHaveLength(1);
  });

  test('when the app is killed again and again while a job runs, it is begun ever more rarely', async () => {
    const begun: number[] = [];
    let subject = scheduler(0.999);
    const live = () =>
      subject.set(
        job({
          schedule: { cron: '0 3 * * *' },
          run: () => {
            begun.push(clock.wallMs());
            return new Promise(() => {});
          },
        }),
      );
    live();
    void subject.runNow('upload');
    for (let life = 0; life < 6; life += 1) {
      subject = scheduler(0.999);
      live();
      const before = begun.length;
      while (begun.length === before) await clock.advance(MINUTE);
    }
    const waits = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
    expect(waits[0]).toBeLessThanOrEqual(2 * MINUTE);
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
    expect(waits.at(-1)).toBeGreaterThan(20 * MINUTE);
  });

  test('when it failed and the app starts anew, it does not wait for its next moment', async () => {
    const first = scheduler();
    first.set(job({ schedule: { everyMs: DAY }, run: () => Promise.reject(new Error('no room')) }));
    await clock.advance(DAY);
    await first.stop();
    const second = scheduler();
    second.set(job({ schedule: { everyMs: DAY } }));
    await clock.advance(MINUTE);
    expect(starts).toHaveLength(1);
  });

  test('when the device is switched off every night, a job that never ran gets its turn all the same', async () => {
    const jobs = [
      { name: 'daily', schedule: { everyMs: DAY } },
      { name: 'nightly', schedule: { cron: '30 3 * * *' } },
    ];
    const ran: string[] = [];
    // On at eight in the morning where the tests run, off at four in the afternoon.
    clock.setWallMs(new Date(2026, 0, 1, 8).getTime());
    for (let day = 0; day < 3; day += 1) {
      const subject = scheduler();
      for (const each of jobs) {
        subject.set(
          job({
            ...each,
            run: () => {
              ran.push(`${each.name} on day ${day}`);
              return Promise.resolve();
            },
          }),
        );
      }
      await clock.advance(8 * HOUR);
      await subject.stop();
      clock.setWallMs(clock.wallMs() + 16 * HOUR + MINUTE);
    }
    expect(ran).toEqual(['daily on day 1', 'nightly on day 1', 'daily on day 2', 'nightly on day 2']);
  });

  test('when the clock was far ahead at the last run, the job still gets its turn on a device that is off every night', async () => {
    clock.setWallMs(Date.UTC(2099, 0, 1));
    const first = scheduler();
    first.set(job({ schedule: { everyMs: DAY } }));
    await first.runNow('upload');
    await first.stop();
    clock.setWallMs(begin);
    for (let day = 0; day < 2; day += 1) {
      const subject = scheduler();
      subject.set(job({ schedule: { everyMs: DAY } }));
      await clock.advance(8 * HOUR);
      await subject.stop();
      clock.setWallMs(clock.wallMs() + 16 * HOUR + MINUTE);
    }
    expect(starts).toHaveLength(2);
  });

  test('when what is missed is left out, starts of the app do not put the next moment off', async () => {
    const set = (subject: Scheduler) => subject.set(job({ schedule: { everyMs: DAY }, missed: 'skip' }));
    const first = scheduler();
    set(first);
    await clock.advance(DAY);
    await first.stop();
    clock.setWallMs(clock.wallMs() + 2 * DAY);
    for (let hour = 0; hour < 25; hour += 1) {
      const subject = scheduler();
      set(subject);
      await clock.advance(HOUR);
      await subject.stop();
    }
    expect(hoursOf()).toEqual([24, 96]);
  });

  test('when its schedule is another one now, what that would have missed earlier does not count', async () => {
    const subject = scheduler();
    subject.set(job({ schedule: { cron: '0 3 * * *' } }));
    await clock.advance(DAY);
    expect(starts).toHaveLength(1);
    subject.set(job({ schedule: { cron: '*/5 * * * *' } }));
    await clock.advance(MINUTE);
    expect(starts).toHaveLength(1);
    await clock.advance(5 * MINUTE);
    expect(starts).toHaveLength(2);
  });

  test('when it is set anew while it runs and that run fails, it is tried again, as it now is', async () => {
    const subject = scheduler();
    let fail: (error: Error) => void = () => {};
    const set = (run: Job['run']) => subject.set(job({ schedule: { everyMs: DAY }, run }));
    set(() => new Promise((_resolve, reject) => (fail = reject)));
    void subject.runNow('upload');
    set(job().run);
    expect(() => subject.runNow('upload')).toThrow(expect.objectContaining({ code: 'job-running' }));
    fail(new Error('no room'));
    await clock.advance(MINUTE);
    expect([starts.length, subject.view()[0]?.runs]).toEqual([1, 2]);
  });

  test('when it is removed while it runs, that run is ended; set again meanwhile, there are never two', async () => {
    const subject = scheduler();
    let now = 0;
    let most = 0;
    let end = () => {};
    const run = async (signal: AbortSignal) => {
      most = Math.max(most, (now += 1));
      await new Promise<void>((resolve) => (end = resolve));
      now -= 1;
      signal.throwIfAborted();
    };
    subject.set(job({ run }));
    void subject.runNow('upload');
    subject.remove('upload');
    expect(subject.view()).toEqual([]);
    subject.set(job({ run }));
    expect(() => subject.runNow('upload')).toThrow(expect.objectContaining({ code: 'job-running' }));
    await clock.advance(2 * HOUR);
    end();
    await clock.advance(MINUTE);
    expect([now, most]).toEqual([1, 1]);
    subject.remove('upload');
    const stopped = subject.stop();
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    await clock.advance(1);
    expect(isStopped).toBe(false);
    end();
    await stopped;
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({});
  });

  test('when a moment is left out while it runs, that is still counted when the run has ended', async () => {
    const subject = scheduler();
    let end = () => {};
    subject.set(job({ run: () => new Promise<void>((resolve) => (end = resolve)) }));
    await clock.advance(2 * HOUR);
    end();
    await clock.advance(1);
    expect(subject.view()[0]).toMatchObject({ skipped: 1, state: 'waiting' });
  });

  test('when many devices are woken at one moment, what they missed is put off by the jitter', async () => {
    scheduler(0.5).set(job({ jitterMs: 10 * MINUTE }));
    await clock.advance(30 * MINUTE);
    clock.setWallMs(clock.wallMs() + 8 * HOUR);
    await clock.advance(4 * MINUTE);
    expect(starts).toEqual([]);
    await clock.advance(2 * MINUTE);
    expect(starts).toHaveLength(1);
  });

  test('when an error is long, only its beginning is kept', async () => {
    const subject = scheduler();
    subject.set(job({ run: () => Promise.reject(new Error('x'.repeat(10_000))) }));
    await subject.runNow('upload');
    expect(subject.view()[0]?.lastError).toHaveLength(500);
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

describe('where there is summer time', () => {
  // At 1:00 UTC the clocks are put back from 3 to 2, or put forward from 2 to 3.
  const [back, forward] = [Date.UTC(2026, 9, 25, 1), Date.UTC(2026, 2, 29, 1)];
  const zone = process.env['TZ'];
  beforeEach(() => {
    process.env['TZ'] = 'Europe/Vienna';
    onTestFinished(() => {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    });
  });
  /** Hours from that moment on. */
  const ranAround = async (
    cron: string,
    at: number,
    { from = -2, to = 3, missed = 'run' }: { from?: number; to?: number; missed?: Job['missed'] } = {},
  ) => {
    clock.setWallMs(at + from * HOUR);
    const subject = scheduler();
    subject.set(job({ schedule: { cron }, missed }));
    await clock.advance((to - from) * HOUR);
    await subject.stop();
    return starts.map((each) => (each - at) / HOUR);
  };

  test('when the clocks are put back or forward, what names every hour goes on as if they were not', async () => {
    const halves = [-1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3];
    expect(await ranAround('*/30 * * * *', back)).toEqual(halves);
    starts = [];
    expect(await ranAround('*/30 * * * *', forward)).toEqual(halves);
    starts = [];
    expect(await ranAround('0 * * * 1', back, { from: -3, to: 26 })).toEqual([22, 23, 24, 25, 26]);
  });

  test('when an hour comes twice, a moment in it that is named by its hour is there once', async () => {
    expect(await ranAround('30 1-3 * * *', back)).toEqual([-1.5, -0.5, 1.5]);
    starts = [];
    expect(await ranAround('30 2 * * *', back, { to: 26 })).toEqual([-0.5, 24.5]);
  });

  test.each(['run', 'skip'] as const)(
    'when a job comes up in the hour that comes the second time and is to %s what was missed, it waits for its next moment',
    async (missed) => {
      expect(await ranAround('30 1-3 * * *', back, { from: 0.1, missed })).toEqual([1.5]);
      starts = [];
      expect(await ranAround('30 * * * *', back, { from: 0.1, to: 2, missed })).toEqual([0.5, 1.5]);
    },
  );
});
