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
    const { burst, perSecond } = this.#rate;
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(caller) ?? { tokens: burst, atMs: now };
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) / 1000) * perSecond);
    const mayGo = tokens >= 1;
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: mayGo ? tokens - 1 : tokens, atMs: now });
    if (this.#buckets.size > MAX_CALLERS) {
      const [idle] = this.#buckets.keys();
      if (idle !== undefined) this.#buckets.delete(idle);
    }
    return mayGo ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
  }
}
