import type { SshGrant } from '@bowline/messages';

/** Why a session ended. */
export type EndReason =
  'expired' | 'idle' | 'cancelled' | 'ended-by-operator' | 'broker-stopped' | 'tunnel-refused' | 'failed';

/**
 * Moments since the device was started, those included in which it was suspended: whatever happens to the wall clock, and however
 * long the device sleeps, a session is no longer.
 */
export interface SessionTimes {
  endsAtMs: number;
  warnAtMs: number;
  idleMs: number;
}

/** How long before the end those in the session are told. */
export const WARNING_MS = 60_000;

/**
 * The server's time comes through a gateway, which may be captured and say another than when the grant was judged: a session lasts
 * no longer than from `nbf` to `exp`, which is signed, and which the policy has bounded.
 *
 * @param serverNowMs server time, as the grant's; @param nowMs the same moment since boot.
 */
export function sessionTimes(
  { nbf, exp, idleSeconds }: Pick<SshGrant, 'nbf' | 'exp' | 'idleSeconds'>,
  serverNowMs: number,
  nowMs: number,
): SessionTimes {
  const endsAtMs = nowMs + Math.min(exp * 1000 - serverNowMs, (exp - nbf) * 1000);
  return { endsAtMs, warnAtMs: endsAtMs - WARNING_MS, idleMs: idleSeconds * 1000 };
}

export type Warning = 'expiry' | 'idle';

/** What is due at a moment. @param warned of what those in the session were told; activity takes back `idle`. */
export function dueAt(
  { endsAtMs, warnAtMs, idleMs }: SessionTimes,
  { nowMs, activeAtMs, warned }: { nowMs: number; activeAtMs: number; warned: ReadonlySet<Warning> },
): 'expired' | 'idle' | `warn-${Warning}` | undefined {
  const stillMs = nowMs - activeAtMs;
  if (nowMs >= endsAtMs) return 'expired';
  if (stillMs >= idleMs) return 'idle';
  if (nowMs >= warnAtMs && !warned.has('expiry')) return 'warn-expiry';
  if (idleMs > WARNING_MS && stillMs >= idleMs - WARNING_MS && !warned.has('idle')) return 'warn-idle';
  return undefined;
}
