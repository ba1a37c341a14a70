import { uptime } from 'node:os';

/**
 * Time as a port, so that tests can own it. Decisions use the monotonic reading (invariant 8): the wall clock of a
 * device may be decades off and may jump.
 */
export interface Clock {
  /** The device's wall clock, epoch milliseconds. For display and `sentAt` only. */
  wallMs(): number;
  /** Milliseconds since an arbitrary moment; never jumps, and stands still while the device is suspended, as timers do. */
  monotonicMs(): number;
  /** Milliseconds since the device was started, those included in which it was suspended; to 10 ms. Never jumps. */
  sinceBootMs(): number;
  /** Calls back once after `delayMs` (at most 2^31 - 1). The timer never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sinceBootMs: () => uptime() * 1000,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs` on the given clock; rejects with the signal's reason if that comes first. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
