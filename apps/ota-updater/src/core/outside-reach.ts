/** While a link is missed: how long a probe from outside the new code has reached the server, without a break. */
export class OutsideReach {
  readonly #everyMs: number;
  #askedMs: number | undefined;
  #sinceMs: number | undefined;

  /** @param linkBackMs see TrialLimits; it is asked some twenty times in that, since a server may just be recovering. */
  constructor(linkBackMs: number) {
    this.#everyMs = linkBackMs / 20;
  }

  /** @param nowMs monotonic, as in all calls. */
  isDue(nowMs: number): boolean {
    return this.#askedMs === undefined || nowMs - this.#askedMs >= this.#everyMs;
  }

  answered(reaches: boolean, nowMs: number): void {
    this.#askedMs = nowMs;
    if (!reaches) this.#sinceMs = undefined;
    else this.#sinceMs ??= nowMs;
  }

  /** The link is there. */
  forget(): void {
    this.#askedMs = undefined;
    this.#sinceMs = undefined;
  }

  /** undefined: it was not asked since the link is missed; 0: it did not answer the last time. */
  lastedMs(nowMs: number): number | undefined {
    if (this.#askedMs === undefined) return undefined;
    return this.#sinceMs === undefined ? 0 : nowMs - this.#sinceMs;
  }
}
