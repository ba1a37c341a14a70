import { Type, type Static } from 'typebox';
import { Count, MessageId } from '../primitives.ts';

export const History = Type.Object({
  orderId: MessageId,
  part: Count,
  last: Type.Boolean(),
  encoding: Type.Enum(['json', 'gzip+base64']),
  data: Type.Unknown(),
});
export type History = Static<typeof History>;
