import type { WriteBatch, WrittenMessage } from '@bowline/durable-queue';
import { LANE_OF, type DurableType, type Lane } from '@bowline/messages';
import type { HubRequests } from '@bowline/messages/hub';
import { checkOutgoing } from '@bowline/messages/outgoing';

type Enqueue = HubRequests['enqueue']['request'];

/** The lane is fixed when a message is enqueued: telemetry is live while connected, else history (protocol, section 4). */
export const laneOf = (type: DurableType, online: boolean): Lane =>
  type === 'telemetry' ? (online ? 'telemetry' : 'history') : LANE_OF[type];

/**
 * What an app hands over → lists of new messages by lane, order kept within each. Their texts are stored as they came.
 *
 * @throws ContractError `invalid`: a payload breaks its schema; nothing of the call is stored.
 */
export function toLanes(
  { messages, texts, past = false }: Pick<Enqueue, 'messages' | 'texts' | 'past'>,
  online: boolean,
): NonNullable<WriteBatch['enqueue']> {
  const lists = new Map<Lane, WrittenMessage[]>();
  messages.forEach(({ id, type, sentAt, payload }, index) => {
    checkOutgoing(type, payload);
    const lane = laneOf(type, online && !past);
    const list = lists.get(lane) ?? [];
    if (list.length === 0) lists.set(lane, list);
    list.push({ id, type, sentAt, text: texts[index] ?? '' });
  });
  return [...lists].map(([lane, list]) => ({ lane, messages: list }));
}
