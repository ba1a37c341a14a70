import { wait, type Clock } from '@bowline/runtime/clock';
import { describe, expect, test } from 'vitest';

interface ClockUnderTest {
  clock: Clock;
  /** Lets at least this much time go by on the clock. */
  elapse(ms: number): Promise<void>;
}

/** What every {@link Clock} does: the system's and the fake one pass it alike. */
export function clockContract(name: string, make: () => ClockUnderTest): void {
  describe(name, () => {
    test('when time goes by, both readings move on by as much', async () => {
      const { clock, elapse } = make();
      const wallMs = clock.wallMs();
      const monotonicMs = clock.monotonicMs();
      await elapse(20);
      expect(clock.monotonicMs() - monotonicMs).toBeGreaterThanOrEqual(20);
      expect(clock.wallMs() - wallMs).toBeGreaterThanOrEqual(19);
    });

    test('when its delay is over, a timer calls back once', async () => {
      const { clock, elapse } = make();
      let calls = 0;
      clock.after(10, () => (calls += 1));
      expect(calls).toBe(0);
      await elapse(200);
      expect(calls).toBe(1);
    });

    test('when the delay is 0, a timer calls back soon but not at once', async () => {
      const { clock, elapse } = make();
      let calls = 0;
      clock.after(0, () => (calls += 1));
      expect(calls).toBe(0);
      await elapse(50);
      expect(calls).toBe(1);
    });

    test('when it is cancelled, a timer does not call back', async () => {
      const { clock, elapse } = make();
      let calls = 0;
      const timer = clock.after(10, () => (calls += 1));
      timer.cancel();
      timer.cancel();
      await elapse(60);
      expect(calls).toBe(0);
    });

    test('when several timers are due, they call back in order of their moments', async () => {
      const { clock, elapse } = make();
      const calls: string[] = [];
      clock.after(40, () => calls.push('late'));
      clock.after(5, () => calls.push('early'));
      await elapse(200);
      expect(calls).toEqual(['early', 'late']);
    });

    test('when the delay is the longest allowed, the timer does not fire early', async () => {
      const { clock, elapse } = make();
      let calls = 0;
      const timer = clock.after(2 ** 31 - 1, () => (calls += 1));
      await elapse(30);
      expect(calls).toBe(0);
      timer.cancel();
    });

    test('when a wait is aborted, it rejects with the reason of the signal', async () => {
      const { clock, elapse } = make();
      const aborter = new AbortController();
      const waiting = wait(clock, 60_000, aborter.signal);
      const reason = new Error('enough');
      aborter.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await elapse(1);
    });
  });
}
