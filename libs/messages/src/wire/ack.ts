import { Type, type Static } from 'typebox';
import { ACK_STATUSES } from '../names.ts';
import { Count, EpochMs, JsonObject, MessageId, Text, WireErrorSchema } from '../primitives.ts';

/** The state of an order (protocol, section 4). `attempt` is 0 before `started`, then 1, 2 … */
export const Ack = Type.Object({
  orderId: MessageId,
  status: Type.Enum([...ACK_STATUSES]),
  attempt: Count,
  at: EpochMs,
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(WireErrorSchema),
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  note: Type.Optional(Text),
  data: Type.Optional(JsonObject),
});
export type Ack = Static<typeof Ack>;
