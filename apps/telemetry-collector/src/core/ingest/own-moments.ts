/** So far ahead of now, milliseconds, a sample may come to be: what comes faster shares moments, and that is said. */
export const MOST_AHEAD_MS = 1000;
/** Series of which the last moment is remembered. */
const MOST_SERIES = 20_000;

/**
 * Moments for samples that come without one: of now, but no two of a series the same, for to the server that would be one sample
 * (protocol, section 3). Of several that came at once, each is a millisecond behind the one before.
 */
export class OwnMoments {
  readonly #last = new Map<string, number>();

  /** @param nowMs epoch milliseconds */
  next(series: string, nowMs: number): number {
    const now = Math.round(nowMs);
    const last = this.#last.get(series) ?? -Infinity;
    const isAhead = last >= now && last < now + MOST_AHEAD_MS;
    const at = isAhead ? last + 1 : now;
    if (last === -Infinity && this.#last.size >= MOST_SERIES) this.#last.clear();
    this.#last.set(series, at);
    return at;
  }
}
