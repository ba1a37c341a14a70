import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print } from '../adapters/terminal.ts';
import { EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';
import { followToEnd } from './follow-order.ts';

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
  const cancel = await api.cancelOrder(orderId);
  if (!json) print(`${paint('bold', 'cancel')} of ${orderId}, order ${cancel.orderId}`);
  const exitCode = await followToEnd({ json, signal }, api, cancel, timeoutMs);
  if (exitCode !== EXIT.ok && !(await neverBegan(api, orderId))) return exitCode;
  if (!json) print(paint('green', exitCode === EXIT.ok ? 'Cancelled.' : 'The order never began.'));
  return EXIT.ok;
}

/** A device that was away gets what was called off meanwhile as expired, and the cancel is too late for that. */
const neverBegan = async (api: OperatorsApi, orderId: string): Promise<boolean> =>
  (await api.order(orderId)).status === 'expired';
