import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print } from '../adapters/terminal.ts';
import { EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';
import { followToEnd } from './follow-order.ts';

/** Orders go to a device in the order in which they were given. */
const BEHIND_IT =
  'The device has yet to get this order, and gets the cancel right behind it: it may begin the order before.';

/**
 * `bowline fleet cancel ORDER`: has the device call an order off, and follows that to its end: whether it was still to be
 * stopped. Returns the exit code.
 */
export async function fleetCancel(
  { json, signal }: Context,
  api: OperatorsApi,
  orderId: string,
  timeoutMs: number,
): Promise<number> {
  const { status } = await api.order(orderId);
  const cancel = await api.cancelOrder(orderId);
  if (!json) {
    print(`${paint('bold', 'cancel')} of ${orderId}, order ${cancel.orderId}`);
    if (status === 'queued') print(paint('yellow', BEHIND_IT));
  }
  const exitCode = await followToEnd({ json, signal }, api, cancel, timeoutMs);
  if (exitCode === EXIT.ok && !json) print(paint('green', 'Cancelled.'));
  return exitCode;
}
