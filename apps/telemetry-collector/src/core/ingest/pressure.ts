import { TransientError } from '@bowline/runtime/errors';

export interface PressureLimits {
  /** Samples a second that go on for long. */
  samplesPerSecond: number;
  /** And so many at once, above it. */
  burstSamples: number;
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
  #tokens: number;
  #atMs: number;

  /** @param nowMs monotonic */
  constructor(limits: PressureLimits, nowMs: number) {
    this.#limits = limits;
    this.#tokens = limits.burstSamples;
    this.#atMs = nowMs;
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
    this.#tokens = Math.min(burstSamples, this.#tokens + ((nowMs - this.#atMs) / 1000) * samplesPerSecond);
    this.#atMs = nowMs;
    const needed = Math.min(samples, burstSamples);
    if (this.#tokens < needed) {
      const waitMs = ((needed - this.#tokens) / samplesPerSecond) * 1000;
      throw tooFast(`more than ${samplesPerSecond} samples a second`, waitMs);
    }
    this.#tokens -= samples;
  }
}

const tooFast = (why: string, retryAfterMs: number) =>
  new TransientError('too-fast', `${why}: send them again later; nothing was taken`, { retryAfterMs });
