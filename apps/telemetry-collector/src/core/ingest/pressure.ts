import { TransientError } from '@bowline/runtime/errors';

export interface PressureLimits {
  /** Samples a second that go on for long. */
  samplesPerSecond: number;
  /** And so many at once, above it. */
  burstSamples: number;
  /** The same of events: each waits for the gateway's disk, and in a lane that drops none. */
  eventsPerSecond: number;
  burstEvents: number;
  /** Share of the buffer above which nothing more is taken while the gateway is there, percent. */
  pressurePercent: number;
}

/** What the buffer is like. */
export interface BufferState {
  samples: number;
  mostSamples: number;
  /** The gateway is there, so the buffer will empty soon. */
  gatewayIsThere: boolean;
}

const SHORT_WAIT_MS = 1000;

/**
 * Says no in time, so that what was said yes to is kept. A gateway that is away is no reason to refuse: what waits for it
 * is thinned and stays whole in the history. One that is there and falls behind is.
 */
export class Pressure {
  #limits: PressureLimits;
  readonly #samples: Bucket;
  readonly #events: Bucket;

  /** @param nowMs monotonic */
  constructor(limits: PressureLimits, nowMs: number) {
    this.#limits = limits;
    this.#samples = new Bucket(limits.burstSamples, nowMs);
    this.#events = new Bucket(limits.burstEvents, nowMs);
  }

  reconfigure(limits: PressureLimits): void {
    this.#limits = limits;
  }

  /**
   * Takes note of samples that are about to be accepted. A request with more than a burst waits for a full bucket and takes
   * it below nothing, so none is refused for ever.
   *
   * @throws TransientError `too-fast` with `retryAfterMs`.
   */
  admit(samples: number, { samples: held, mostSamples, gatewayIsThere }: BufferState, nowMs: number): void {
    const { samplesPerSecond, burstSamples, pressurePercent } = this.#limits;
    if (gatewayIsThere && held >= (mostSamples * pressurePercent) / 100) {
      throw tooFast(`${held} samples wait for the gateway already`, SHORT_WAIT_MS);
    }
    const waitMs = this.#samples.take(samples, { perSecond: samplesPerSecond, burst: burstSamples }, nowMs);
    if (waitMs > 0) throw tooFast(`more than ${samplesPerSecond} samples a second`, waitMs);
  }

  /** The same of one event. @throws TransientError `too-fast` with `retryAfterMs`. */
  admitEvent(nowMs: number): void {
    const { eventsPerSecond: perSecond, burstEvents: burst } = this.#limits;
    const waitMs = this.#events.take(1, { perSecond, burst }, nowMs);
    if (waitMs > 0) throw tooFast(`more than ${perSecond} events a second`, waitMs);
  }
}

class Bucket {
  #tokens: number;
  #atMs: number;

  constructor(tokens: number, nowMs: number) {
    this.#tokens = tokens;
    this.#atMs = nowMs;
  }

  /** @returns how long to wait until it can be taken, milliseconds; 0: it is. */
  take(count: number, { perSecond, burst }: { perSecond: number; burst: number }, nowMs: number): number {
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * perSecond);
    this.#atMs = nowMs;
    const needed = Math.min(count, burst);
    if (this.#tokens < needed) return ((needed - this.#tokens) / perSecond) * 1000;
    this.#tokens -= count;
    return 0;
  }
}

const tooFast = (why: string, retryAfterMs: number) =>
  new TransientError('too-fast', `${why}: send it again later; nothing was taken`, { retryAfterMs });
