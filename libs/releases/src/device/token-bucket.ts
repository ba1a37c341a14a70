/**
 * Holds a mean rate, and lets through at once what was not used in the last second.
 */
export class TokenBucket {
  readonly #bytesPerSecond: number;
  #level: number;
  #atMs: number;

  /** @param nowMs monotonic, as in all calls. */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = bytesPerSecond;
    this.#atMs = nowMs;
  }

  /** Takes what has come. @returns how long to wait before more is read, milliseconds. */
  take(bytes: number, nowMs: number): number {
    const earned = ((nowMs - this.#atMs) / 1000) * this.#bytesPerSecond;
    this.#level = Math.min(this.#bytesPerSecond, this.#level + Math.max(0, earned)) - bytes;
    this.#atMs = nowMs;
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level / this.#bytesPerSecond) * 1000);
  }
}
