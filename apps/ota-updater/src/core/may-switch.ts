import type { UpdateState } from './update-state.ts';

/** A person or program of the device that wants no change for a while. */
export interface Hold {
  owner: string;
  /** Epoch milliseconds of the device's clock. */
  until: number;
  reason?: string;
}

export interface SwitchView {
  /** Wall clock of the device, epoch milliseconds. */
  nowMs: number;
  /** So long the order waits, as far as that is known: see {@link waitedMs}. */
  waitedMs: number;
  holds: readonly Hold[];
  /** Shells that are open on the device. */
  sshSessions: number;
  /** The link is down, over which the order came: whether the release keeps it could not be judged. */
  linkDown: boolean;
  /** When the maintenance window that is open, or the next one, begins; Infinity: none ever does; undefined: any time will do. */
  windowOpensAt: number | undefined;
  /** Holds, shells and the link count only so long after the order was accepted. */
  maxDeferMs: number;
}

/** Why an update must wait before it changes anything; undefined: it need not. */
export function whyNotNow(view: SwitchView): string | undefined {
  const { nowMs, waitedMs, holds, sshSessions, linkDown, windowOpensAt, maxDeferMs } = view;
  if (waitedMs < maxDeferMs) {
    const hold = holds.find(({ until }) => until > nowMs);
    if (hold !== undefined) return `held by ${hold.owner} until ${iso(hold.until)}`;
    if (sshSessions > 0) return `${sshSessions} ssh sessions are open`;
    if (linkDown) return 'the link to the cloud is down: whether the release keeps it could not be told';
  }
  if (windowOpensAt === Infinity)
    return "no maintenance window of the device's policy ever opens: see updates.windows and updates.timeZone";
  if (windowOpensAt !== undefined && windowOpensAt > nowMs)
    return `outside the maintenance window, which opens ${iso(windowOpensAt)}`;
  return undefined;
}

/**
 * How long an order waits. A clock that was set since must not make days of it: within the boot in which it was accepted that
 * boot's clock counts; one that was accepted by a clock which had lost the time waits no longer than this boot has lasted.
 *
 * @param now `builtMs`: no clock that is right is before it.
 */
export function waitedMs(
  { acceptedAt, acceptedIn }: Pick<UpdateState, 'acceptedAt' | 'acceptedIn'>,
  now: { wallMs: number; sinceBootMs: number; bootId: string; builtMs: number },
): number {
  if (acceptedIn?.id === now.bootId) return now.sinceBootMs - acceptedIn.atMs;
  return acceptedAt < now.builtMs ? now.sinceBootMs : Math.max(0, now.wallMs - acceptedAt);
}

/** A hold stops the fetching, too. */
export const isHeld = ({ nowMs, waitedMs, holds, maxDeferMs }: SwitchView): Hold | undefined =>
  waitedMs < maxDeferMs ? holds.find(({ until }) => until > nowMs) : undefined;

const iso = (ms: number) => new Date(ms).toISOString();
