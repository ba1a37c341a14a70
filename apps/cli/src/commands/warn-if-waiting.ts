import type { Device } from '@bowline/messages';
import { paint, print } from '../adapters/terminal.ts';

/** Tells an operator that what was just ordered waits for a device that is not connected. */
export function warnIfWaiting({ deviceId, online, revokedAt }: Device, say = print): void {
  if (online) return;
  const why =
    revokedAt === undefined
      ? `${deviceId} is offline; the order waits for it.`
      : `${deviceId} is revoked; the order waits until it is let in again (bowline fleet restore).`;
  say(paint('yellow', why));
}
