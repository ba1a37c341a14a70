import type { DownlinkPayload, DownlinkType } from '@bowline/messages';
import { v7 as uuidv7 } from 'uuid';
import type { OrderRecord } from '../orders/order.ts';

/** A frame that is not kept: it has no lane and no seq. */
export const liveFrame = <T extends DownlinkType>(
  type: T,
  payload: DownlinkPayload<T>,
  now: number,
): string => JSON.stringify({ type, id: uuidv7(), sentAt: now, payload });

export const orderFrame = ({ type, orderId, seq, createdAt, payload }: OrderRecord): string =>
  JSON.stringify({ type, id: orderId, lane: 'orders', seq, sentAt: createdAt, payload });
