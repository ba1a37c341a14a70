import type { Order } from '@bowline/messages';
import { isTerminal } from '@bowline/messages/names';

/** What its operator has signed for it: this release, for this share of this group, as long as that. */
export interface SignedStage {
  /** Compact JWS, good once on each device. */
  order: string;
  jti: string;
  /** Epoch milliseconds. */
  signedUntil: number;
  percent: number;
}

/** Which release goes to whom: the same for all stages of a rollout. */
export interface RolloutAim {
  /** Also the salt by which devices are chosen. */
  rolloutId: string;
  group: string;
  channel: string;
  name: string;
  version?: string;
  digest?: string;
}

/** A staged rollout of one release to a group of devices. */
export interface RolloutRecord extends RolloutAim, SignedStage {
  status: 'running' | 'paused' | 'stopped';
  /** Of `paused` or `stopped`. */
  why?: string;
  /** It pauses once more than this share of its devices have failed, in percent. */
  maxFailedPercent: number;
  by: string;
  createdAt: number;
  changedAt: number;
  /** When it was begun, widened or let go on last: what ends as failed from then on makes it pause. */
  wentOnAt?: number;
  /** Of one that was stopped and is under way nowhere any more: its counts, which stay as they are. */
  settled?: RolloutCounts;
}

/** What became of it on one device. */
export interface TakenPart {
  orderId: string;
  /** Of the signature that it was given under. */
  jti: string;
  /** `recalled`: called off, or too late, before it had an effect: a new signature gives it again. */
  status: 'given' | 'succeeded' | 'failed' | 'recalled';
  /** The order that calls it off. */
  recall?: string;
  code?: string;
  message?: string;
  /** When it was given, or how it ended was heard. */
  at: number;
}

/** Of all parts, and what has failed since the rollout went on last, under whichever signature it was given. */
export interface RolloutCounts {
  given: number;
  succeeded: number;
  failed: number;
  recalled: number;
  failures: Record<string, number>;
}

/**
 * What a device says where nothing was tried (the order came too late, its signature is known, too many wait), or where what
 * was tried says nothing against the release: such a device has not denied it, and is given it again.
 */
const NOT_ITS_FAULT = [
  'signature-expired',
  'order-expired',
  'replayed',
  'too-many-updates',
  'inconclusive',
  'interrupted',
  'no-space',
];

/** How an order of a rollout ended; undefined: it has not. */
export function outcomeOf({
  status,
  error,
}: Pick<Order, 'status' | 'error'>): Pick<TakenPart, 'status' | 'code' | 'message'> | undefined {
  if (!isTerminal(status)) return undefined;
  if (status === 'succeeded') return { status };
  const why = error === undefined ? {} : { code: error.code, message: error.message };
  const isTried =
    status !== 'cancelled' && status !== 'expired' && !NOT_ITS_FAULT.includes(error?.code ?? '');
  return isTried ? { status: 'failed', code: status, ...why } : { status: 'recalled', ...why };
}

/** Whether a device may be given the release now that had this of it before. */
export const isDue = (part: TakenPart | undefined, { jti }: SignedStage): boolean =>
  part === undefined || (part.status === 'recalled' && part.jti !== jti);

/**
 * Why a rollout must pause, with what failed; undefined: it may go on.
 *
 * @param devices that it is for by now.
 */
export function whyPause(
  { maxFailedPercent }: RolloutRecord,
  { failures }: RolloutCounts,
  devices: number,
): string | undefined {
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  if (failed === 0 || failed <= (devices * maxFailedPercent) / 100) return undefined;
  const codes = Object.entries(failures)
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`);
  return `${failed} of ${devices} devices failed: ${codes.slice(0, 10).join(', ')}`;
}

export const nothingYet = (): RolloutCounts => ({
  given: 0,
  succeeded: 0,
  failed: 0,
  recalled: 0,
  failures: {},
});

/** Counts a part, or no longer (`by` -1). */
export function count(
  counts: RolloutCounts,
  part: TakenPart,
  { wentOnAt, createdAt }: RolloutRecord,
  by: 1 | -1,
): void {
  counts[part.status] += by;
  if (part.status !== 'failed' || part.at < (wentOnAt ?? createdAt)) return;
  const { code = 'failed' } = part;
  counts.failures[code] = (counts.failures[code] ?? 0) + by;
}
