import { Type, type Static } from 'typebox';
import { UPLINK_LANES, type Lane } from './names.ts';
import { EpochMs, JsonObject, LaneName, MessageId, Seq } from './primitives.ts';

/** The frame around every message but `batch` (protocol, section 2). `payload` is checked by its type's own schema. */
export const Envelope = Type.Object({
  type: Type.String({ minLength: 1, maxLength: 64 }),
  id: MessageId,
  lane: Type.Optional(Type.Enum([...UPLINK_LANES, 'orders'])),
  seq: Type.Optional(Seq),
  sentAt: EpochMs,
  payload: JsonObject,
});

/** A decoded frame: the type says what the payload is. */
export interface Message<T extends string, P> {
  type: T;
  id: string;
  lane?: Lane | 'orders';
  seq?: number;
  sentAt: number;
  payload: P;
}

/** One message inside a batch: an envelope without its lane, which the batch names once. */
export const BatchedMessage = Type.Object({
  id: MessageId,
  type: Type.String({ maxLength: 64 }),
  seq: Seq,
  sentAt: EpochMs,
  payload: JsonObject,
});
export type BatchedMessage = Static<typeof BatchedMessage>;

/** Uplink only: consecutive seqs of one lane in one frame. Each payload is validated by its own type's schema. */
export const Batch = Type.Object({
  type: Type.Literal('batch'),
  lane: LaneName,
  messages: Type.Array(BatchedMessage, { minItems: 1 }),
});
export type Batch = Static<typeof Batch>;
