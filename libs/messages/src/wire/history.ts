import { Type, type Static } from 'typebox';
import { Count, EpochMs, MessageId, Name } from '../primitives.ts';

/** What a part belongs to that no order asked for: an upload on the device's own schedule, with an id of its own in `orderId`. */
export const HistoryUpload = Type.Object({
  job: Name,
  kind: Type.Enum(['logs', 'journal']),
  app: Type.Optional(Name),
  /** What it holds lies in from ≤ t < to, beginning where the upload before it ended. */
  from: EpochMs,
  to: EpochMs,
});
export type HistoryUpload = Static<typeof HistoryUpload>;

export const History = Type.Object({
  orderId: MessageId,
  upload: Type.Optional(HistoryUpload),
  part: Count,
  last: Type.Boolean(),
  encoding: Type.Enum(['json', 'gzip+base64']),
  data: Type.Unknown(),
});
export type History = Static<typeof History>;
