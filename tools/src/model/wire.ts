import { uuidOf } from './names.ts';
import type { Held } from './world.ts';

/** A message of the model as it goes over the wire: valid by the contract, or the server would refuse it. */
export function wireMessage({ seq, id, body }: Held) {
  const { type, ...fields } = body;
  return { type, id: uuidOf(id), seq, sentAt: 1, payload: payloadOf(type, fields, id) };
}

function payloadOf(type: string, fields: object, id: string): Record<string, unknown> {
  switch (type) {
    case 'event':
      return { kind: 'test', severity: 'info', at: 1, data: { id } };
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
