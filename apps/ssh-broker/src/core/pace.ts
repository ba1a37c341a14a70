/** How often something may happen: so many at once, and one more each `everyMs` after that. */
export class Pace {
  readonly #burst: number;
  readonly #everyMs: number;
  #left: number;
  #atMs: number | undefined;

  constructor({ burst, everyMs }: { burst: number; everyMs: number }) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#left = burst;
  }

  /** @param nowMs monotonic. @returns whether it may happen now. */
  take(nowMs: number): boolean {
    const earned = this.#atMs === undefined ? 0 : (nowMs - this.#atMs) / this.#everyMs;
    this.#left = Math.min(this.#burst, this.#left + earned);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
