export interface StallLimits {
  /** Longest time to wait for data, milliseconds; at the end of each such time enough must have come. */
  stallMs: number;
  /** Least rate over that time. */
  minBytesPerSecond: number;
}

/**
 * Tells a slow network from one that is stuck, or held open by somebody who sends a byte now and then. Only the time that
 * was spent waiting counts: whoever reads slowly, e.g. for a bandwidth cap, does not make a stall of it.
 */
export class StallWatch {
  readonly #limits: StallLimits;
  #waitedMs = 0;
  #bytes = 0;

  constructor(limits: StallLimits) {
    this.#limits = limits;
  }

  /** How long the next wait may take, milliseconds. */
  get patienceMs(): number {
    return Math.max(1, this.#limits.stallMs - this.#waitedMs);
  }

  /** @returns false if that was too slow. */
  came(bytes: number, waitedMs: number): boolean {
    const { stallMs, minBytesPerSecond } = this.#limits;
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    if (this.#waitedMs < stallMs) return true;
    const enough = this.#bytes >= Math.max(1, (minBytesPerSecond * this.#waitedMs) / 1000);
    this.#bytes = 0;
    this.#waitedMs = 0;
    return enough;
  }
}
