import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import type { SignedOrder, WantedCommand } from '../adapters/sign-command.ts';
import { paint, print } from '../adapters/terminal.ts';
import type { Context } from './context.ts';
import { followToEnd } from './follow-order.ts';
import { warnIfWaiting } from './warn-if-waiting.ts';

export interface CommandOptions {
  params: Record<string, unknown> | undefined;
  /** How long to wait for the end; the order goes on. */
  timeoutMs: number;
  /** After that the device refuses to start it. */
  expiresInMs: number | undefined;
  /** Makes the order a signed one (adapters/sign-command.ts). */
  sign: ((wanted: WantedCommand) => Promise<SignedOrder>) | undefined;
}

/** `bowline fleet command DEVICE NAME`: gives the order and follows it to its end. Returns the exit code. */
export async function fleetCommand(
  { json, signal }: Context,
  api: OperatorsApi,
  deviceId: string,
  name: string,
  { params, timeoutMs, expiresInMs, sign }: CommandOptions,
): Promise<number> {
  const device = await findDevice(api, deviceId);
  const plain = { payload: { name, ...(params === undefined ? {} : { params }) } };
  const wanted = sign === undefined ? plain : await sign({ deviceId, name, params });
  const order = await api.giveOrder(deviceId, {
    type: 'command',
    ...wanted,
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
  });
  if (!json) {
    print(`${paint('bold', name)} to ${deviceId}, order ${order.orderId}`);
    warnIfWaiting(device);
  }

  return followToEnd({ json, signal }, api, order, timeoutMs);
}
