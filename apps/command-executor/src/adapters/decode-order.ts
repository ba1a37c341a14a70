import type { Command as CommandPayload } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { AppRequests } from '@bowline/messages/hub';
import { ContractError } from '@bowline/runtime/errors';
import type { CommandOrder } from '../core/plan-command.ts';
import { order as isCommand } from '../generated/orders.js';

/** An order off the hub; what breaks the contract becomes its `fault`, so that it is answered and not just refused. */
export function decodeOrder({
  orderId,
  type,
  payload,
  state,
  attempt,
}: AppRequests['order']['request']): CommandOrder {
  const order = { orderId, state, attempt };
  try {
    if (type !== 'command') throw new ContractError('unsupported', `this app runs commands, not ${type}`);
    return { ...order, payload: check<CommandPayload>(isCommand, payload) };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return { ...order, payload: {}, fault: { code: error.code, message: error.message } };
  }
}
