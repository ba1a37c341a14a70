/** Which stretch of time the charts show. */

export const WINDOWS = [
  { label: '15 min', ms: 15 * 60_000 },
  { label: '1 h', ms: 3_600_000 },
  { label: '6 h', ms: 6 * 3_600_000 },
  { label: '24 h', ms: 24 * 3_600_000 },
] as const;

/** The newest sample lies within the first this much of the window, so that there is something to see before it. */
const NEWEST_WITHIN = 0.6;
/** What of a window may be empty at either end, and it still counts as full. */
const MARGIN = 0.05;
/** The charts move on in steps of this, milliseconds: one that creeps each second is restless. */
const STEP_MS = 5_000;

/**
 * The window to start with: the smallest in which one sees what the device measured before its newest sample, which for one
 * that went dark is the interesting part.
 */
export function usualWindow(newestAt: number | undefined, now: number): number {
  const age = newestAt === undefined ? 0 : now - newestAt;
  return (WINDOWS.find(({ ms }) => age <= ms * NEWEST_WITHIN) ?? WINDOWS[1]).ms;
}

/** A chart of less than this is all noise, milliseconds. */
const SHORTEST_MS = 2 * 60_000;

/**
 * For a device that has only just begun to measure: the stretch from its first sample on, not one that is mostly empty. The first
 * sample of one that has measured for long lies a step behind the beginning, too: that changes nothing.
 *
 * @param firstAt of the samples that are there; Infinity if there are none
 */
export function fromFirstSample(stretch: Stretch, firstAt: number): Stretch {
  const isFull = firstAt <= stretch.from + (stretch.to - stretch.from) * MARGIN;
  if (stretch.past || isFull || !Number.isFinite(firstAt)) return stretch;
  return { ...stretch, from: Math.min(firstAt, stretch.to - SHORTEST_MS) };
}

export interface Stretch {
  /** Epoch milliseconds. */
  from: number;
  to: number;
  /** It ends with the newest sample, long ago, and not now. */
  past: boolean;
}

/** A window ends now; where it would be empty, soon after the newest sample. */
export function stretchOf(windowMs: number, newestAt: number | undefined, now: number): Stretch {
  if (newestAt !== undefined && now - newestAt >= windowMs) {
    const to = newestAt + windowMs * MARGIN;
    return { from: to - windowMs, to, past: true };
  }
  const to = Math.ceil(now / STEP_MS) * STEP_MS;
  return { from: to - windowMs, to, past: false };
}
