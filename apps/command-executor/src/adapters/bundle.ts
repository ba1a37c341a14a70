import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { v7 as newId } from 'uuid';

/** Of text in each part: packed and as base64 it fits into the smallest frame, even if it does not shrink at all. */
const PART_BYTES = 40_000;

export interface HistoryMessage {
  id: string;
  type: 'history';
  sentAt: number;
  payload: { orderId: string; part: number; last: boolean; encoding: 'gzip+base64'; data: string };
}

/**
 * A text as messages of type `history` for an order (protocol, section 5). Each part is gzip in itself; joined in their order,
 * the parts are one gzip file as well (RFC 1952, section 2.2).
 */
export async function historyParts(text: string, orderId: string, sentAt: number): Promise<HistoryMessage[]> {
  const bytes = Buffer.from(text);
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  const messages: HistoryMessage[] = [];
  for (let part = 0; part < count; part += 1) {
    const packed = await promisify(gzip)(bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
    messages.push({
      id: newId(),
      type: 'history',
      sentAt,
      payload: {
        orderId,
        part,
        last: part === count - 1,
        encoding: 'gzip+base64',
        data: packed.toString('base64'),
      },
    });
  }
  return messages;
}
