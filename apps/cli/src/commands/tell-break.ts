import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '@bowline/messages';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { remark } from '../adapters/terminal.ts';
import { whyEnded } from '../core/why-ended.ts';

/** By which ssh (scp, sftp) and rsync say that their connection broke. */
const BROKE = [255, 12];
const POLL_MS = 100;
/** The server hears of the end a little after the connection has gone. */
const WITHIN_MS = 2000;

/** Says why a session broke off, where the server knows it: ssh only knows that it did. */
export async function tellBreak(
  api: OperatorsApi,
  { orderId, deviceId }: { orderId: string; deviceId: string },
  exitCode: number,
): Promise<void> {
  if (!BROKE.includes(exitCode)) return;
  for (const until = performance.now() + WITHIN_MS; performance.now() < until; await sleep(POLL_MS)) {
    const why = await whyBroken(api, orderId, deviceId).catch(() => '');
    if (why === undefined) continue;
    if (why !== '') remark(why);
    return;
  }
  const note = await api.order(orderId).then(
    ({ progress }) => progress?.note,
    () => undefined,
  );
  if (note !== undefined) remark(`The device says: ${note}`);
  remark(`How the session ended, once the device has told it: bowline fleet order ${orderId}`);
}

/** @returns undefined as long as nothing is known to have happened; empty if there is no more to say. */
async function whyBroken(api: OperatorsApi, orderId: string, deviceId: string): Promise<string | undefined> {
  const order = await api.order(orderId);
  if (isTerminal(order.status)) return whyEnded(order);
  const { online } = await api.device(deviceId);
  return online
    ? undefined
    : `${deviceId} is not connected any more: it was restarted, or lost its network. The session is over; ask for another once it is back.`;
}
