import type { NewMessage, WriteBatch } from '@bowline/durable-queue';
import { LANE_OF, type DurableType, type Lane } from '@bowline/messages';
import type { HubRequests } from '@bowline/messages/hub';
import { checkOutgoing } from '@bowline/messages/outgoing';

type AppMessage = HubRequests['enqueue']['request']['messages'][number];

/** The lane is fixed when a message is enqueued: telemetry is live while connected, else history (protocol, section 4). */
export const laneOf = (type: DurableType, online: boolean): Lane =>
  type === 'telemetry' ? (online ? 'telemetry' : 'history') : LANE_OF[type];

/**
 * What an app hands over → lists of new messages by lane, order kept within each.
 *
 * @throws ContractError `invalid`: a payload breaks its schema; nothing of the call is stored.
 */
export function toLanes(
  messages: readonly AppMessage[],
  online: boolean,
): NonNullable<WriteBatch['enqueue']> {
  const lists = new Map<Lane, NewMessage[]>();
  for (const { id, type, sentAt, payload } of messages) {
    const lane = laneOf(type, online);
    const list = lists.get(lane) ?? [];
    list.push({ id, type, sentAt, payloadJson: JSON.stringify(checkOutgoing(type, payload)) });
    lists.set(lane, list);
  }
  return [...lists].map(([lane, list]) => ({ lane, messages: list }));
}
