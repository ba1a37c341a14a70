import type { JournalEntry, NewMessage, StoredMessage } from '@bowline/durable-queue';
import { isTerminal, type Ack } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { newMessage } from './new-message.ts';

/** The durable report of where an order stands, for the `results` lane (protocol, section 4). `at` in epoch ms. */
export function ackOf(entry: JournalEntry, at: number): NewMessage {
  const ack: Ack = {
    orderId: entry.orderId,
    status: entry.status,
    attempt: entry.attempt,
    at,
    ...(entry.resultJson === undefined ? {} : { result: JSON.parse(entry.resultJson) as unknown }),
    ...(entry.error === undefined ? {} : { error: entry.error }),
  };
  return newMessage('ack', checkOutgoing('ack', ack), at);
}

/**
 * The end of an order in a form that fits any frame, to be told in the place of one that does not: an operator must not wait for
 * ever. Undefined for anything else.
 */
export function withoutResult({ id, json }: StoredMessage, at: number): NewMessage | undefined {
  const { type, payload } = JSON.parse(json) as { type: string; payload: Ack };
  if (type !== 'ack' || payload.result === undefined || !isTerminal(payload.status)) return undefined;
  const { result: _, ...ack } = payload;
  const note = `its result is larger than the server takes; on the device it is dead letter ${id}`;
  return newMessage('ack', checkOutgoing('ack', { ...ack, note }), at);
}
