export interface BackoffOptions {
  /** First delay, milliseconds; default 1,000. */
  baseMs?: number;
  /** Upper bound of the random part, milliseconds; default 120,000. */
  capMs?: number;
  /** Added to every delay, milliseconds; default 0. */
  minMs?: number;
}

/**
 * How long to wait before attempt `attempt` (0 is the first retry): `min + random(0, min(cap, base·2ⁿ))` (protocol,
 * section 6). The jitter survives the cap, so that a fleet never returns in step.
 *
 * @param random in [0, 1)
 */
export function backoffMs(
  attempt: number,
  random: number,
  { baseMs = 1000, capMs = 120_000, minMs = 0 }: BackoffOptions = {},
): number {
  return minMs + random * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 40));
}
