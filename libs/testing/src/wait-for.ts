import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Gives up after this; default 60,000 ms. It ends what hangs, it is no measure of speed. */
  timeoutMs?: number;
  /** Pause between two looks; default 10 ms. */
  everyMs?: number;
  /** What is awaited, for the message when it never comes. */
  what?: string;
}

/**
 * Looks again and again until `condition` gives something true, and returns that. A condition that throws counts as not
 * yet; its last error becomes the cause when time is up.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 60_000, everyMs = 10, what = 'the condition' }: WaitOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    let lastError: unknown;
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > end)
      throw new Error(`gave up after ${timeoutMs} ms waiting for ${what}`, { cause: lastError });
    await sleep(everyMs);
  }
}
