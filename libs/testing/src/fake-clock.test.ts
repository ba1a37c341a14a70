import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, wait } from '@bowline/runtime/clock';
import { expect, test } from 'vitest';
import { clockContract } from './clock.contract.ts';
import { FakeClock } from './fake-clock.ts';

clockContract('the system clock', () => ({
  clock: systemClock,
  // Node may fire a timer up to a millisecond early by the monotonic clock.
  elapse: async (ms) => sleep(ms + 2),
}));

clockContract('the fake clock', () => {
  const clock = new FakeClock();
  return { clock, elapse: (ms) => clock.advance(ms) };
});

test('when a promise behind a timer sets the next one, one advance runs both, each at its own moment', async () => {
  const clock = new FakeClock();
  const moments: number[] = [];
  const job = (async () => {
    for (let i = 0; i < 3; i += 1) {
      await wait(clock, 1_000);
      moments.push(clock.monotonicMs());
    }
  })();
  await clock.advance(3_000);
  await job;
  expect(moments).toEqual([1_000, 2_000, 3_000]);
});

test('when a timer is due after the end of an advance, it waits for the next', async () => {
  const clock = new FakeClock();
  let calls = 0;
  clock.after(1_001, () => (calls += 1));
  await clock.advance(1_000);
  expect({ calls, left: clock.nextTimerInMs, pending: clock.pendingTimers }).toEqual({
    calls: 0,
    left: 1,
    pending: 1,
  });
  await clock.advance(1);
  expect({ calls, pending: clock.pendingTimers }).toEqual({ calls: 1, pending: 0 });
});

test('when the wall clock is set back, monotonic time and timers go on', async () => {
  const clock = new FakeClock(1_000_000);
  let calls = 0;
  clock.after(500, () => (calls += 1));
  clock.setWallMs(0);
  await clock.advance(500);
  expect({ calls, wall: clock.wallMs(), monotonic: clock.monotonicMs() }).toEqual({
    calls: 1,
    wall: 500,
    monotonic: 500,
  });
});
