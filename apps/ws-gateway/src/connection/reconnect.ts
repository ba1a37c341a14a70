import { backoffMs } from '@bowline/runtime';

/** How an attempt or a link ended, as far as it decides when to try again (protocol, sections 1 and 6). */
export type LinkEnd =
  | { kind: 'closed'; code: number; retryAfterMs?: number }
  | { kind: 'refused'; status: number; retryAfterMs?: number }
  | { kind: 'failed' }
  | { kind: 'enrolment-refused'; retryAfterMs?: number }
  | { kind: 'resume-anew' };

export interface ReconnectInput {
  end: LinkEnd;
  /** Failed attempts in a row before this end. */
  attempts: number;
  /** Ends in a row that count as no failure (draining, resuming anew), since the last stable link. */
  uncounted: number;
  /** Whether the token was refused in the attempt before as well. */
  signedAnew: boolean;
  /** In [0, 1). */
  random: number;
  /** What the last welcome said; `min` of the back-off and the window for resuming after 1001 and 1012. */
  reconnect: { minMs: number; maxMs: number };
  baseMs: number;
  capMs: number;
}

export interface ReconnectVerdict {
  delayMs: number;
  attempts: number;
  /** See {@link ReconnectInput.uncounted}; of the next end. */
  uncounted: number;
  /** The token was refused: the next attempt signs with the server's time and, if refused again, slows down. */
  signAnew: boolean;
  alarm?: 'clone-suspected' | 'revoked';
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SLOW_RETRY_MS = 5 * MINUTE_MS;
/** A server may ask us to wait, but never for longer than this. */
const LONGEST_TOLD_MS = HOUR_MS;

/** A schedule from how the link ended, the count of attempts and a random number: the one place that decides when. */
export function nextAttempt(input: ReconnectInput): ReconnectVerdict {
  const { end, attempts, uncounted, random, baseMs, capMs } = input;
  const minMs = Math.min(input.reconnect.minMs, LONGEST_TOLD_MS);
  const maxMs = Math.min(Math.max(input.reconnect.maxMs, minMs), LONGEST_TOLD_MS);
  const told = Math.min(('retryAfterMs' in end ? end.retryAfterMs : undefined) ?? 0, LONGEST_TOLD_MS);
  const failed = { attempts: attempts + 1, uncounted, signAnew: false };
  const backoff = () => ({
    ...failed,
    delayMs: told + backoffMs(attempts, random, { baseMs, capMs, minMs }),
  });
  const slow = () => ({ ...failed, delayMs: Math.max(told, SLOW_RETRY_MS) + random * SLOW_RETRY_MS });
  const revoked = () => ({ ...failed, delayMs: HOUR_MS + random * HOUR_MS, alarm: 'revoked' as const });
  const unauthorised = () =>
    input.signedAnew ? slow() : { attempts, uncounted, delayMs: 0, signAnew: true };

  /** The count stays; but a server that does so again and again is not met in a tight loop. */
  const again = (delayMs: number) => ({
    attempts,
    signAnew: false,
    uncounted: uncounted + 1,
    delayMs:
      uncounted === 0 ? delayMs : Math.max(delayMs, backoffMs(uncounted, random, { baseMs, capMs, minMs })),
  });

  if (end.kind === 'resume-anew') return again(random * baseMs);
  if (end.kind === 'failed') return backoff();
  if (end.kind === 'enrolment-refused') return slow();
  if (end.kind === 'refused') {
    if (end.status === 401) return unauthorised();
    if (end.status === 403) return revoked();
    return backoff();
  }
  switch (end.code) {
    case 1001:
    case 1012:
      return again(Math.max(told, minMs + random * (maxMs - minMs)));
    case 1013:
      return { ...failed, delayMs: told + minMs + random * capMs };
    case 4401:
      return unauthorised();
    case 4403:
      return revoked();
    case 4406:
      return slow();
    case 4409:
      return { ...failed, delayMs: MINUTE_MS + random * MINUTE_MS, alarm: 'clone-suspected' };
    default:
      return backoff();
  }
}
