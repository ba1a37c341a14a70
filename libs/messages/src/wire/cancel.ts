import { Type, type Static } from 'typebox';
import { EpochMs, MessageId } from '../primitives.ts';

/** Acts on receipt, outside the queue. */
export const Cancel = Type.Object({ orderId: MessageId, expiresAt: Type.Optional(EpochMs) });
export type Cancel = Static<typeof Cancel>;
