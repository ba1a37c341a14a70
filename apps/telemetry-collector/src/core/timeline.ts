/** How a moment was known: see {@link Timeline}. */
export type TimeQuality = 'good' | 'estimated' | 'unsynchronised';

/** What the clocks say. */
export interface ClockReading {
  /** The wall clock, epoch milliseconds. */
  wallMs: number;
  /** Since boot, milliseconds. */
  monoMs: number;
  /** Whether the wall clock is known to be right. */
  trusted: boolean;
}

/** Wall time less time since boot, as it was last held, to go on with after a restart within the same boot. */
export interface HeldOffset {
  offsetMs: number;
  /** Whether it came from a clock that was known to be right. */
  synchronised: boolean;
}

/** A wall clock this close to what we hold is the same: it drifts, and is slewed. */
const CLOSE_MS = 1000;

/**
 * The time of samples: monotonic time of this boot plus an offset, so that no jump of the wall clock makes a series go
 * backwards. How the offset follows the wall clock:
 *
 * - Until the clock is known to be right: forwards only. Such samples are `unsynchronised` and carry their monotonic time.
 * - When it becomes right for the first time in this boot: to it, in either direction. What came before is corrected by
 *   the offset that holds now ({@link Timeline.now} tells when).
 * - From then on: forwards at once, backwards by slowing down to half the speed, as long as it is known to be right. If it
 *   is not any more, the offset stays: our monotonic clock is better than it. More than a second away from a trusted wall
 *   clock, or without one, the samples are `estimated`.
 */
export class Timeline {
  #held: HeldOffset | undefined;
  #lastMonoMs: number | undefined;

  constructor(held?: HeldOffset) {
    this.#held = held;
  }

  get held(): HeldOffset | undefined {
    return this.#held;
  }

  /** `synchronisedNow`: what was `unsynchronised` in this boot can be corrected from now on. */
  now({ wallMs, monoMs, trusted }: ClockReading): {
    at: number;
    quality: TimeQuality;
    synchronisedNow: boolean;
  } {
    const wanted = wallMs - monoMs;
    const before = this.#held;
    const synchronisedNow = trusted && before?.synchronised !== true;
    const elapsedMs = Math.max(0, monoMs - (this.#lastMonoMs ?? monoMs));
    this.#lastMonoMs = monoMs;
    const offsetMs =
      before === undefined || synchronisedNow ? wanted : follow(before, wanted, { trusted, elapsedMs });
    const synchronised = trusted || before?.synchronised === true;
    this.#held = { offsetMs, synchronised };
    const isClose = trusted && Math.abs(wanted - offsetMs) <= CLOSE_MS;
    const quality = isClose ? 'good' : synchronised ? 'estimated' : 'unsynchronised';
    return { at: monoMs + offsetMs, quality, synchronisedNow };
  }
}

function follow(
  { offsetMs, synchronised }: HeldOffset,
  wanted: number,
  { trusted, elapsedMs }: { trusted: boolean; elapsedMs: number },
): number {
  if (synchronised && !trusted) return offsetMs;
  if (wanted >= offsetMs) return wanted;
  return trusted ? Math.max(wanted, offsetMs - elapsedMs / 2) : offsetMs;
}
