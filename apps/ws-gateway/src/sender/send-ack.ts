import type { JournalEntry, NewMessage } from '@bowline/durable-queue';
import type { Ack } from '@bowline/messages';
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
