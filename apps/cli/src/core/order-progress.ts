import type { Order } from '@bowline/messages';
import { updateEndOf } from '@bowline/messages/update-end';
import { EXIT } from './cli-error.ts';
import { timeOfDay } from './format.ts';

/** How the program ends for each state in which an order can end (protocol, section 4). */
const EXIT_OF_END: Partial<Record<Order['status'], number>> = {
  succeeded: EXIT.ok,
  failed: EXIT.orderFailed,
  rejected: EXIT.orderRejected,
  expired: EXIT.orderExpired,
  cancelled: EXIT.orderCancelled,
  indeterminate: EXIT.orderIndeterminate,
};

/** Undefined while the order is under way. */
export const exitCodeOf = (order: Order): number | undefined => EXIT_OF_END[order.status];

/**
 * The steps of `order` after the first `shown`, one line each: what, when the server heard of it, and how long after the
 * order was given. All by the server's clock: the device's may be anything.
 */
export function newSteps(order: Order, shown: number): string[] {
  return order.history.slice(shown).map(({ status, receivedAt, attempt }) => {
    const late = `+${Math.max(0, receivedAt - order.createdAt)} ms`;
    const again = attempt > 1 ? `  attempt ${attempt}` : '';
    return `${status.padEnd(13)} ${timeOfDay(receivedAt)}  ${late}${again}`;
  });
}

/** One sentence on how it ended, for everything but success. */
export function whyNot(order: Order): string {
  const { status, error } = order;
  if (error?.code === 'withdrawn') return `Withdrawn: ${error.message}.`;
  const why = wordsOf(order);
  return `The order ended ${status}${why === undefined ? '' : `: ${why}`}.`;
}

/** What the device tells of an update that failed, beside that sentence: how it stands now, and what the program wrote last. */
export function moreOnFailure(order: Order): string[] {
  const { lines, degraded } = updateEndOf(order);
  return [...(degraded === undefined ? [] : [`The device is degraded: ${degraded}.`]), ...writtenLast(lines)];
}

/** What a program that failed has written last, as it is shown under the reason. */
export const writtenLast = (lines: readonly string[]): string[] =>
  lines.length === 0
    ? []
    : ['It has written last:', ...lines.map((line) => `  | ${line.replaceAll(/\r?\n/g, ' ')}`)];

/** What the device said against it. */
export const wordsOf = ({ error }: Order): string | undefined =>
  error === undefined ? undefined : `${error.message} (${error.code})`;
