import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Of text in each part: packed and as base64 it fits into the smallest frame, even if it does not shrink at all. */
const PART_BYTES = 40_000;

export interface HistoryMessage {
  id: string;
  type: 'history';
  sentAt: number;
  payload: { orderId: string; part: number; last: boolean; encoding: 'gzip+base64'; data: string };
}

/** How many messages a text makes. */
export const partsOf = (text: string): number => Math.max(1, Math.ceil(Buffer.byteLength(text) / PART_BYTES));

/**
 * One part of a text as a message of type `history` for an order (protocol, section 5). Each part is gzip in itself; joined in
 * their order, the parts are one gzip file as well (RFC 1952, section 2.2).
 */
export async function historyPart(
  text: string,
  { orderId, part, id, sentAt }: { orderId: string; part: number; id: string; sentAt: number },
): Promise<HistoryMessage> {
  const bytes = Buffer.from(text);
  const packed = await promisify(gzip)(bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
  const last = part === partsOf(text) - 1;
  const data = packed.toString('base64');
  return { id, type: 'history', sentAt, payload: { orderId, part, last, encoding: 'gzip+base64', data } };
}
