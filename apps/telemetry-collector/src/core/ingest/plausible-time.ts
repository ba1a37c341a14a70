/** 1973 in milliseconds, 5138 in seconds: whoever sends less meant seconds. */
const LEAST_MS = 100_000_000_000;
/** 2100 in milliseconds, 1970 in microseconds: whoever sends more meant these. It would outlive every true sample, too. */
const MOST_MS = 4_102_444_800_000;

/** What speaks against a moment that somebody gave, epoch milliseconds. */
export function doubtOf(atMs: number | undefined): string | undefined {
  if (atMs === undefined) return undefined;
  if (atMs < LEAST_MS) return 'looks like seconds';
  return atMs > MOST_MS ? 'looks like microseconds' : undefined;
}
