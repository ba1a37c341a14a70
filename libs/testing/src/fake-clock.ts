import type { Clock, Timer } from '@bowline/runtime/clock';

interface PendingTimer {
  dueMs: number;
  callback: () => void;
}

/**
 * A clock that stands still until the test moves it. Passes the same contract as the system's (clock-contract.ts).
 */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #suspendedMs = 0;
  #timers: PendingTimer[] = [];

  /** @param wallMs where the wall clock starts, epoch milliseconds. */
  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sinceBootMs(): number {
    return this.#monotonicMs + this.#suspendedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return { cancel: () => void this.#remove(timer) };
  }

  /** How many timers wait: a test of a clean stop expects 0. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer, undefined without one. */
  get nextTimerInMs(): number | undefined {
    const next = this.#next();
    return next && next.dueMs - this.#monotonicMs;
  }

  /** The wall clock jumps, as when NTP or an operator sets it; monotonic time and timers do not notice. */
  setWallMs(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  /** The device sleeps: the wall clock goes on, and the time since boot; monotonic time and timers do not notice. */
  suspend(ms: number): void {
    this.#wallMs += ms;
    this.#suspendedMs += ms;
  }

  /**
   * Moves time on and runs every timer on the way, in order of their moments, those included that timers and the promises
   * behind them set meanwhile. Between two moments, promise callbacks and I/O that is ready run first.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      this.#moveTo(next.dueMs);
      this.#remove(next);
      next.callback();
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** The timer that is due first; of two at one moment the one that was set first. */
  #next(): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.dueMs < first.dueMs) first = timer;
    return first;
  }

  #remove(timer: PendingTimer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets promise callbacks, and I/O that is ready, run. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
