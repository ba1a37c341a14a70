import type { Clock } from '@bowline/runtime/clock';

export interface Rate {
  /** How many at once. */
  burst: number;
  /** And how many a second after that. */
  perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** So many callers are told apart; beyond that the longest idle one is forgotten. */
const MAX_CALLERS = 10_000;

/** Token buckets by the name of the caller. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #rate: Rate;
  /** In order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** @returns 0 if the caller may go on, else in how many milliseconds. */
  take(caller: string): number {
    const { tokens, waitMs } = this.#look(caller);
    this.#buckets.delete(caller);
    const left = waitMs === 0 ? tokens - 1 : tokens;
    this.#buckets.set(caller, { tokens: left, atMs: this.#clock.monotonicMs() });
    if (this.#buckets.size > MAX_CALLERS) {
      const [idle] = this.#buckets.keys();
      if (idle !== undefined) this.#buckets.delete(idle);
    }
    return waitMs;
  }

  /** What {@link take} would answer, without counting: for limits on what fails only. */
  waitMs(caller: string): number {
    return this.#look(caller).waitMs;
  }

  #look(caller: string): { tokens: number; waitMs: number } {
    const { burst, perSecond } = this.#rate;
    const { tokens: held, atMs } = this.#buckets.get(caller) ?? { tokens: burst, atMs: -Infinity };
    const tokens = Math.min(burst, held + ((this.#clock.monotonicMs() - atMs) / 1000) * perSecond);
    return { tokens, waitMs: tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000) };
  }
}
