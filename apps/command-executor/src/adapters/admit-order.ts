import type { OrderGate } from '@bowline/identity';
import type { Command as CommandPayload } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { AppRequests } from '@bowline/messages/hub';
import { ContractError, RejectedError } from '@bowline/runtime/errors';
import type { CommandOrder } from '../core/plan-command.ts';
import { order as isCommand } from '../generated/orders.js';

/**
 * An order off the hub, before anything else is done with it: its shape, and its signature if it carries one. What is wrong
 * becomes its `fault`, so that it is answered and not just refused.
 *
 * @throws TransientError of the gate: nothing can be said yet, it must be offered again.
 */
export async function admitOrder(
  { orderId, type, payload, state, attempt }: AppRequests['order']['request'],
  gate: Pick<OrderGate, 'admit'>,
): Promise<CommandOrder> {
  const order = { orderId, state, attempt };
  try {
    if (type !== 'command') throw new ContractError('unsupported', `this app runs commands, not ${type}`);
    const command = check<CommandPayload>(isCommand, payload);
    if (command.signed === undefined) return { ...order, payload: command };
    return { ...order, ...(await unsealed(command, command.signed, orderId, gate)) };
  } catch (error) {
    if (!(error instanceof ContractError || error instanceof RejectedError)) throw error;
    return { ...order, payload: {}, fault: { code: error.code, message: error.message } };
  }
}

/** Only what was signed counts; a name beside it is for people who look at the order, and must be the same. */
async function unsealed(
  { name, params, timeoutMs, expiresAt }: CommandPayload,
  jws: string,
  orderId: string,
  gate: Pick<OrderGate, 'admit'>,
): Promise<Pick<CommandOrder, 'payload' | 'signature'>> {
  const { claims, id, signer, earlier } = await gate.admit('command', jws, orderId);
  if (params !== undefined || timeoutMs !== undefined || (name !== undefined && name !== claims.name))
    throw new ContractError('invalid', 'beside signed stands another name, or params or timeoutMs');
  return {
    payload: {
      name: claims.name,
      ...(claims.params === undefined ? {} : { params: claims.params }),
      ...(claims.timeoutMs === undefined ? {} : { timeoutMs: claims.timeoutMs }),
      expiresAt: Math.min(claims.exp * 1000, expiresAt ?? Infinity),
    },
    signature: { id, signer, earlier },
  };
}
