export interface Rate {
  /** So many at once. */
  burst: number;
  /** And one more each so often after that. */
  everyMs: number;
}

/** How often something may happen, at a rate that may change. */
export class Pace {
  #left: number | undefined;
  #atMs = 0;

  /** @param nowMs monotonic. @returns whether it may happen now. */
  take(nowMs: number, { burst, everyMs }: Rate): boolean {
    const left = this.#left === undefined ? burst : this.#left + (nowMs - this.#atMs) / everyMs;
    this.#left = Math.min(burst, left);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
