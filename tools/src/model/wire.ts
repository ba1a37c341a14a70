import type { Lane } from '@bowline/messages';
import { uuidOf } from './names.ts';
import type { Held } from './world.ts';

/** One message, or several in a batch (protocol, section 2). */
export function frameText(lane: Lane, held: readonly Held[]): string {
  const [first, ...more] = held.map(wireMessage);
  return JSON.stringify(
    more.length === 0 ? { ...first, lane } : { type: 'batch', lane, messages: [first, ...more] },
  );
}

/** A message of the model as it goes over the wire: valid by the contract, or the server refuses it. */
function wireMessage({ seq, id, body }: Held) {
  const { type, ...fields } = body;
  return {
    type: type === 'bad' ? 'event' : type,
    id: uuidOf(id),
    seq,
    sentAt: 1,
    payload: payloadOf(type, fields, id),
  };
}

function payloadOf(type: string, fields: object, id: string): Record<string, unknown> {
  switch (type) {
    case 'event':
      return { kind: 'test', severity: 'info', at: 1, data: { id } };
    case 'bad':
      return {};
    case 'telemetry':
      return { samples: [{ series: id, at: 1, value: 1 }] };
    case 'ack': {
      const { orderId, ...rest } = fields as { orderId: string };
      return { ...rest, orderId: uuidOf(orderId), at: 1 };
    }
    default:
      return { ...fields, reason: 'overflow' };
  }
}
