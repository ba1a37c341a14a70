import { InternalError, RejectedError } from '@bowline/runtime/errors';
import type { PreparedBatch } from './apply.ts';
import { forEachLane } from './lanes.ts';
import { META_BYTES, type Limits } from './limits.ts';
import { drops, lowWater } from './overflow.ts';
import type { WriteBatch } from './queue.ts';
import { prepare } from './wire-message.ts';

/** Bytes that anything in a batch costs in memory beside its text. */
const OVERHEAD_BYTES = 64;
/** Longest seq in decimal digits. */
const SEQ_DIGITS = 16;

/**
 * All that can be done of a batch when it is handed in, while the transaction before it is still being flushed.
 *
 * @param epoch that the caller's seqs belong to.
 * @throws RejectedError `message-too-large`; ContractError `invalid-message`; InternalError `meta-too-large`.
 */
export function prepareBatch(batch: WriteBatch, limits: Limits, epoch: string): PreparedBatch {
  let bytes = OVERHEAD_BYTES;
  const wanted = forEachLane(() => ({ messages: 0, bytes: 0 }));
  const enqueue = (batch.enqueue ?? []).map(({ lane, messages }) => {
    const largest = Math.min(
      limits.messageBytes,
      drops(lane) ? lowWater(limits.lanes[lane].bytes) : Infinity,
    );
    const prepared = messages.map((message) => {
      const made = prepare(message);
      const size = made.bytes;
      if (size > largest) {
        throw new RejectedError(
          'message-too-large',
          `message ${message.id} has ${size} bytes, above ${largest}`,
        );
      }
      bytes += size + OVERHEAD_BYTES;
      wanted[lane].messages += 1;
      wanted[lane].bytes += size + SEQ_DIGITS;
      return made;
    });
    return { lane, messages: prepared };
  });
  for (const { payloadJson, resultJson = '' } of batch.journal ?? []) {
    bytes += payloadJson.length + resultJson.length + 512;
  }
  for (const [name, value] of Object.entries(batch.meta ?? {})) {
    if (Buffer.byteLength(value) > META_BYTES || Buffer.byteLength(name) > 256) {
      throw new InternalError('meta-too-large', `the value of ${name} is larger than ${META_BYTES} bytes`);
    }
    bytes += value.length + OVERHEAD_BYTES;
  }
  for (const value of Object.values(batch.config ?? {})) {
    bytes += (JSON.stringify(value) ?? '').length + OVERHEAD_BYTES;
  }
  return { ...batch, enqueue, wanted, bytes, epoch };
}
