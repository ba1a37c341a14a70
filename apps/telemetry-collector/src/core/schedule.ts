/** When one group of series is read. */
export interface Timing {
  name: string;
  /** Above 0. */
  intervalMs: number;
  /** The first reading comes this long after the start, then one every interval. */
  firstAfterMs: number;
}

/**
 * Which readings are due. All intervals share one start, so that readings fall together and the machine wakes up less
 * often. A moment that was missed (the machine slept, the process was busy) is skipped, never made up for.
 */
export class Schedule {
  readonly #startMs: number;
  readonly #entries: { timing: Timing; dueMs: number }[];

  /** @param nowMs monotonic */
  constructor(timings: readonly Timing[], nowMs: number) {
    this.#startMs = nowMs;
    this.#entries = timings.map((timing) => ({ timing, dueMs: nowMs + timing.firstAfterMs }));
  }

  /** Names of what is due now; each is due again an interval later. */
  takeDue(nowMs: number): string[] {
    const due = this.#entries.filter(({ dueMs }) => dueMs <= nowMs);
    for (const entry of due) {
      const { intervalMs } = entry.timing;
      const passed = Math.floor((nowMs - this.#startMs) / intervalMs);
      entry.dueMs = this.#startMs + (passed + 1) * intervalMs;
    }
    return due.map(({ timing }) => timing.name);
  }

  /** How long until something is due; undefined if nothing ever is. */
  nextInMs(nowMs: number): number | undefined {
    if (this.#entries.length === 0) return undefined;
    return Math.max(0, Math.min(...this.#entries.map(({ dueMs }) => dueMs)) - nowMs);
  }
}
