import { backoffMs, type BackoffOptions } from './backoff.ts';
import { wait, type Clock } from './clock.ts';
import { BowlineError, TransientError } from './errors.ts';

/** Refusals of a device's store that end by themselves, though each is a final answer to its call. */
const PASSING = ['disk-full', 'lane-full'];

/** Whether the same call may succeed later: nothing was wrong with what was asked. */
export const mayPass = (error: unknown): boolean =>
  error instanceof TransientError || (error instanceof BowlineError && PASSING.includes(error.code));

export interface RetryOptions {
  clock: Clock;
  /** Ends the attempts; the signal's reason is thrown. */
  signal: AbortSignal;
  backoff?: BackoffOptions;
  /** In [0, 1); default Math.random. */
  random?: () => number;
}

/**
 * Calls `attempt` until it succeeds.
 *
 * @throws what `attempt` throws, if that cannot pass ({@link mayPass}).
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  { clock, signal, backoff, random = Math.random }: RetryOptions,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayPass(error)) throw error;
    }
    await wait(clock, backoffMs(failures, random(), backoff), signal);
  }
}
