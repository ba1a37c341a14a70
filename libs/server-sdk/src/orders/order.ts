import type { Ack, Order } from '@bowline/messages';
import { isTerminal } from '@bowline/messages/names';

/** An order as it is stored. */
export interface OrderRecord extends Omit<Order, 'progress'> {
  /** The server itself ended it (`indeterminate` after a new epoch, or it could not be sent): the device may know better. */
  endedHere?: boolean;
}

/** More steps than these are not kept; the first and the last are. */
const MAX_STEPS = 64;

const RANK: Record<string, number> = { queued: 0, sent: 1, received: 2, started: 3 };
const rankOf = (status: string): number => RANK[status] ?? 4;

export const hasEnded = ({ status }: Pick<OrderRecord, 'status'>): boolean => isTerminal(status);

/**
 * What an ack does to an order: the same object if nothing changes. Reports repeat (protocol, section 4), and after a new
 * epoch older ones come again; an order never goes backwards, except that the device's word on its end replaces ours.
 */
export function applyAck(order: OrderRecord, ack: Ack, receivedAt: number): OrderRecord {
  const { status, attempt, at } = ack;
  if (status === 'progress') return order;
  if (hasEnded(order) && !(order.endedHere === true && isTerminal(status))) return order;
  const ahead = rankOf(status) > rankOf(order.status) || attempt > order.attempt;
  if (!ahead && order.endedHere !== true) return order;
  const { error: _, result: __, endedHere: ___, ...rest } = order;
  return {
    ...rest,
    status,
    attempt: Math.max(attempt, order.attempt),
    history: addStep(order.history, { status, attempt, at, receivedAt }),
    ...(ack.result === undefined ? {} : { result: ack.result }),
    ...(ack.error === undefined ? {} : { error: ack.error }),
  };
}

/** A step of our own: handed to a link, or ended without the device. */
export function step(
  order: OrderRecord,
  status: 'sent' | 'rejected' | 'expired' | 'indeterminate',
  now: number,
  error?: { code: string; message: string },
): OrderRecord {
  return {
    ...order,
    status,
    history: addStep(order.history, { status, attempt: order.attempt, at: now, receivedAt: now }),
    ...(status === 'sent' ? {} : { endedHere: true }),
    ...(error === undefined ? {} : { error }),
  };
}

type Step = OrderRecord['history'][number];

function addStep(history: readonly Step[], added: Step): Step[] {
  const steps = [...history, added];
  return steps.length <= MAX_STEPS
    ? steps
    : [...steps.slice(0, MAX_STEPS / 2), ...steps.slice(1 - MAX_STEPS / 2)];
}
