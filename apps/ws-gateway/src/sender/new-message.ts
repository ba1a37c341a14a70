import type { NewMessage } from '@bowline/durable-queue';
import type { Event, UplinkPayload, UplinkType } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { v7 as uuidv7 } from 'uuid';

/** A message of the gateway's own, with a new id. `sentAt` in epoch milliseconds; stays as it is on every retry. */
export function newMessage<T extends UplinkType>(
  type: T,
  payload: UplinkPayload<T>,
  sentAt: number,
): NewMessage {
  return { id: uuidv7(), type, sentAt, payloadJson: JSON.stringify(payload) };
}

/** An event of the gateway's own, for the `events` lane. */
export function newEvent(
  kind: string,
  severity: Event['severity'],
  data: Record<string, unknown>,
  at: number,
): NewMessage {
  return newMessage('event', checkOutgoing('event', { kind, severity, at, data }), at);
}

/** A frame that is live only: no lane, no seq, never stored (protocol, section 2). */
export function liveFrame<T extends UplinkType>(
  type: T,
  payload: UplinkPayload<T>,
  sentAt: number,
): { id: string; text: string } {
  const id = uuidv7();
  return { id, text: JSON.stringify({ type, id, sentAt, payload: checkOutgoing(type, payload) }) };
}
