/** No program is that old: a later time is a broken file, or somebody who wants the clock wrong. */
const OLDEST_BUILD_MS = 20 * 365.25 * 86_400_000;

export interface Clocks {
  /** The system's clock. */
  nowMs: number;
  /** When this software was built. */
  buildMs: number;
  /** The last time that the server told over TLS, if one was recorded. */
  trustedMs: number | undefined;
}

/**
 * What a system clock that has fallen behind is to be raised to: max(build time, last trusted time); undefined if it is not
 * behind. It is never set back: a clock that is ahead may well be right.
 */
export function clockToSet({ nowMs, buildMs, trustedMs }: Clocks): number | undefined {
  const plausible = trustedMs !== undefined && trustedMs <= buildMs + OLDEST_BUILD_MS ? trustedMs : buildMs;
  const target = Math.max(buildMs, plausible);
  return nowMs < target ? target : undefined;
}
