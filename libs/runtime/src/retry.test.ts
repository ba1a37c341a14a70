import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { CancelledError, RejectedError, TransientError } from './errors.ts';
import { retry } from './retry.ts';

/** Every wait is over at once and is written down. */
function instantClock(): Clock & { delays: number[] } {
  const delays: number[] = [];
  return {
    delays,
    wallMs: () => 0,
    monotonicMs: () => 0,
    sinceBootMs: () => 0,
    after(delayMs, callback) {
      delays.push(delayMs);
      queueMicrotask(callback);
      return { cancel: () => {} };
    },
  };
}
const { signal } = new AbortController();

/** Fails with each of the errors in turn, then succeeds. */
const failing = (...errors: Error[]) => {
  let calls = 0;
  return {
    calls: () => calls,
    attempt: () => {
      const error = errors[calls];
      calls += 1;
      return error === undefined ? Promise.resolve('done') : Promise.reject(error);
    },
  };
};

describe('retry', () => {
  test('when an error may pass, it is tried again with growing delays', async () => {
    const clock = instantClock();
    const { attempt, calls } = failing(
      new TransientError('away', ''),
      new RejectedError('disk-full', ''),
      new TransientError('away', ''),
    );
    const result = await retry(attempt, { clock, signal, random: () => 1, backoff: { baseMs: 100 } });
    expect([result, calls(), clock.delays]).toEqual(['done', 4, [100, 200, 400]]);
  });

  test('when an error is final, it is thrown at once', async () => {
    const { attempt, calls } = failing(new RejectedError('not-allowed', ''));
    await expect(retry(attempt, { clock: instantClock(), signal })).rejects.toThrow(RejectedError);
    expect(calls()).toBe(1);
  });

  test('when it is called off between two attempts, the reason is thrown', async () => {
    const stop = new AbortController();
    const clock: Clock = { ...instantClock(), after: () => ({ cancel: () => {} }) };
    const { attempt } = failing(new TransientError('away', ''));
    const result = retry(attempt, { clock, signal: stop.signal });
    stop.abort(new CancelledError('stopping', ''));
    await expect(result).rejects.toThrow(CancelledError);
  });
});
