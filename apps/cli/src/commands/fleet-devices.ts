import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { duration } from '../core/format.ts';
import { exitCodeOf, moreOnFailure, newSteps, whyNot } from '../core/order-progress.ts';
import type { Context } from './context.ts';

/** `bowline fleet devices`: who is there. */
export async function fleetDevices({ json }: Context, api: OperatorsApi): Promise<void> {
  const devices = await api.devices();
  if (json) return printJson({ devices });
  if (devices.length === 0) return print('No device has enrolled yet.');
  const now = Date.now();
  const ago = (at: number | undefined) => (at === undefined ? '' : duration(now - at));
  const rows = devices.map(({ deviceId, name, online, since, agentVersion, queue, alarms, revokedAt }) => [
    deviceId,
    name,
    linkOf(online, revokedAt),
    ago(since),
    agentVersion ?? '',
    queue === undefined ? '' : String(queue.messages),
    alarms.length === 0 ? '' : paint('yellow', String(alarms.length)),
  ]);
  print(table(['device', 'name', 'link', 'for', 'version', 'queued', 'alarms'], rows));
}

function linkOf(online: boolean, revokedAt: number | undefined): string {
  if (revokedAt !== undefined) return paint('red', 'revoked');
  return online ? paint('green', 'online') : paint('red', 'offline');
}

/** `bowline fleet order ID`: one order as the server has it. */
export async function fleetOrder({ json }: Context, api: OperatorsApi, orderId: string): Promise<void> {
  const order = await api.order(orderId);
  if (json) return printJson(order);
  const name = typeof order.payload['name'] === 'string' ? ` ${order.payload['name']}` : '';
  print(`${order.type}${name} to ${order.deviceId}: ${paint('bold', order.status)}`);
  newSteps(order, 0).forEach((line) => print(`  ${line}`));
  if (order.error !== undefined || (exitCodeOf(order) ?? 0) !== 0)
    [whyNot(order), ...moreOnFailure(order)].forEach(print);
  else if (order.result !== undefined) print(JSON.stringify(order.result, null, 2));
}
