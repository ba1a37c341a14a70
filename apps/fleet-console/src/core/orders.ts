import type { Order, OrderStatus } from '@bowline/messages';
import { isTerminal } from '@bowline/messages/names';
import { formatBytes, formatDuration } from './format.ts';

/** How an order stands, for colour and sorting; the word beside it says the same. */
export type Mood = 'good' | 'bad' | 'busy' | 'quiet';

export function moodOf(order: Pick<Order, 'status' | 'error'>): Mood {
  if (isWithdrawn(order)) return 'quiet';
  switch (order.status) {
    case 'succeeded':
      return 'good';
    case 'failed':
    case 'rejected':
    case 'expired':
    case 'indeterminate':
      return 'bad';
    case 'cancelled':
      return 'quiet';
    default:
      return 'busy';
  }
}

/**
 * Called off before its device had it, or the cancel that did so: as was wanted, whatever the device says of either when it
 * gets them (docs/commands.md).
 */
export const isWithdrawn = ({ error }: Pick<Order, 'error'>): boolean => error?.code === 'withdrawn';

/** Where it stands, in a word. */
export const standingOf = (order: Pick<Order, 'status' | 'error'>): OrderStatus | 'withdrawn' =>
  isWithdrawn(order) ? 'withdrawn' : order.status;

/** What a person calls the order: its command's name, or its type. */
export function orderName({ type, payload }: Order): string {
  const { name, signed } = payload;
  if (type === 'command' && typeof name === 'string') return name;
  if (type === 'command' && typeof signed === 'string') return 'signed command';
  return type;
}

/**
 * What it is about, on one line: a command's parameters, the order that a cancel calls off; nothing when there is nothing.
 *
 * @param others among which the order is that a cancel names
 */
export function orderParams({ type, payload }: Order, others: readonly Order[] = []): string {
  if (type === 'cancel') {
    const target = others.find(({ orderId }) => orderId === payload['orderId']);
    return target === undefined ? String(payload['orderId'] ?? '') : `of ${orderName(target)}`;
  }
  if (type === 'sshAccess') return grantInWords(payload['grant']);
  if (type === 'softwareUpdate') return updateInWords(payload['order']);
  const { params } = payload;
  if (typeof params !== 'object' || params === null || Object.keys(params).length === 0) return '';
  return JSON.stringify(params);
}

function grantInWords(grant: unknown): string {
  const claims = claimsOf(grant);
  if (claims === undefined) return '';
  const { user, by, reason } = claims;
  return `as ${String(user)}, for ${String(by)}: ${String(reason)}`;
}

function updateInWords(order: unknown): string {
  const { name, version, preview } = claimsOf(order) ?? {};
  if (typeof name !== 'string') return '';
  const release = typeof version === 'string' ? `${name} ${version}` : name;
  return preview === true ? `${release}, preview` : release;
}

/** What a signed part says of itself. The device checks its signature; here it is only read. */
function claimsOf(jws: unknown): Record<string, unknown> | undefined {
  const [, claims = ''] = typeof jws === 'string' ? jws.split('.') : [];
  try {
    const bytes = Uint8Array.from(atob(claims.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
      letter.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Figures of an update's progress, in words: phase, bytes, rate, what is left; empty where it tells of none. */
export function progressInWords({ data }: NonNullable<Order['progress']>): string {
  const { phase, bytes, totalBytes, bytesPerSecond, remainingSeconds } = (data ?? {}) as Record<
    string,
    unknown
  >;
  const parts: string[] = [];
  if (typeof phase === 'string') parts.push(phase);
  if (typeof bytes === 'number' && typeof totalBytes === 'number')
    parts.push(`${formatBytes(bytes)} of ${formatBytes(totalBytes)}`);
  if (typeof bytesPerSecond === 'number') parts.push(`${formatBytes(bytesPerSecond)}/s`);
  if (typeof remainingSeconds === 'number') parts.push(`${formatDuration(remainingSeconds * 1000)} left`);
  return parts.join(', ');
}

export interface Step {
  status: OrderStatus;
  attempt: number;
  /** When it happened, by the clock of whoever did it, epoch milliseconds. */
  at: number;
  /** When the server learned of it. */
  receivedAt: number;
  /** Since the step before; absent for the first. */
  tookMs?: number;
}

/** Every step of an order from its creation on, in the order in which the server learned of them. */
export function orderSteps(order: Order): Step[] {
  const known = order.history.some(({ status }) => status === 'queued')
    ? order.history
    : [
        { status: 'queued' as const, attempt: 0, at: order.createdAt, receivedAt: order.createdAt },
        ...order.history,
      ];
  return known.map((step, index) => {
    const before = known[index - 1];
    return before === undefined ? { ...step } : { ...step, tookMs: Math.max(0, step.at - before.at) };
  });
}

/** When the order came into the state that it is in. */
export const lastChangeOf = (order: Order): number =>
  order.history.reduce((latest, { receivedAt }) => Math.max(latest, receivedAt), order.createdAt);

/**
 * Whether `next` is a later word about the same order than `held`: the stream and a snapshot may overtake each other.
 */
export function isNewer(next: Order, held: Order): boolean {
  if (next.history.length !== held.history.length) return next.history.length > held.history.length;
  if (isTerminal(held.status) && !isTerminal(next.status)) return false;
  return lastChangeOf(next) >= lastChangeOf(held);
}
