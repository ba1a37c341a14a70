import { isTerminal, type Order } from '@bowline/messages';

export interface GivenOrder {
  orderId: string;
  /** Whether its command may run again. */
  idempotent: boolean;
  /** As the server told it last. */
  status: Order['status'];
  /** Another state was seen after a terminal one. */
  changed: boolean;
}

export interface Verdict {
  orders: number;
  succeeded: number;
  indeterminate: number;
  failed: number;
  /** Lines that the programs have written. */
  effects: number;
  /** More than once, though the command must not run again. */
  twice: number;
  /** Succeeded, and the effect is not there. */
  missing: number;
  /** An effect of an order that nobody gave, or that the server says was never begun. */
  unasked: number;
  /** Not ended. */
  unfinished: number;
  /** Ended twice: in another state than before. */
  changed: number;
  /** Programs that were still there when everything was over. */
  leftRunning: number;
}

const NEVER_BEGUN = ['rejected', 'expired'];

/** Compares what the server says of each order with the effects that there are. @param effects ids of orders, one an effect. */
export function judgeOrders(
  orders: readonly GivenOrder[],
  effects: readonly string[],
  leftRunning: number,
): Verdict {
  const times = new Map<string, number>();
  for (const id of effects) times.set(id, (times.get(id) ?? 0) + 1);
  const count = (is: (order: GivenOrder, effects: number) => boolean): number =>
    orders.filter((order) => is(order, times.get(order.orderId) ?? 0)).length;
  const known = new Set(orders.map(({ orderId }) => orderId));
  return {
    orders: orders.length,
    succeeded: count(({ status }) => status === 'succeeded'),
    indeterminate: count(({ status }) => status === 'indeterminate'),
    failed: count(({ status }) => status === 'failed'),
    effects: effects.length,
    twice: count(({ idempotent }, found) => !idempotent && found > 1),
    missing: count(({ status }, found) => status === 'succeeded' && found === 0),
    unasked:
      effects.filter((id) => !known.has(id)).length +
      count(({ status }, found) => NEVER_BEGUN.includes(status) && found > 0),
    unfinished: count(({ status }) => !isTerminal(status)),
    changed: count(({ changed }) => changed),
    leftRunning,
  };
}
