import type { Lane } from '@bowline/messages';
import { allocate, seal, unseal } from '@bowline/record-store';
import { segmentKey } from './keys.ts';

/**
 * What one group commit stored in one lane, as one record: a key per message would cost several times as much.
 *
 * Payload, little-endian: first seq f64 | count u32 | messages still there u32 | their bytes u32 | age f64 |
 * count + 1 offsets u32 into the body | body. Every message in the body ends in a comma, so consecutive messages can be cut
 * out for a `batch` frame without parsing; two equal offsets mean that the message was taken out.
 */
export interface Segment {
  /** Seq of the first and last message that the segment was made with. */
  first: number;
  last: number;
  /** Messages not taken out, and their bytes. */
  messages: number;
  bytes: number;
  /** Reading of the store's age clock when it was written, milliseconds. */
  ageMs: number;
  /** The payload of the record. */
  data: Buffer;
}

const OFFSETS_AT = 28;
/**
 * A segment takes no message that would make its body longer: it fits whole into a frame of the protocol's default size
 * (64 KiB), so no frame carries the few messages that did not.
 */
export const SEGMENT_BYTES = 64 * 1024 - 256;

/** @param items the messages' JSON, consecutive from `first`; undefined where one is missing. */
export function encodeSegment(
  lane: Lane,
  first: number,
  items: readonly (string | undefined)[],
  sizes: readonly number[],
  { ageMs, commit }: { ageMs: number; commit: number },
): { key: Buffer; record: Buffer } {
  let messages = 0;
  let bytes = 0;
  items.forEach((item, index) => {
    if (item === undefined) return;
    messages += 1;
    bytes += sizes[index] ?? 0;
  });
  const bodyAt = OFFSETS_AT + 4 * (items.length + 1);
  const key = segmentKey(lane, first);
  const { record, payloadAt } = allocate(key, bodyAt + bytes + messages, commit);
  const data = record.subarray(payloadAt);
  data.writeDoubleLE(first, 0);
  data.writeUInt32LE(items.length, 8);
  data.writeUInt32LE(messages, 12);
  data.writeUInt32LE(bytes, 16);
  data.writeDoubleLE(ageMs, 20);
  let offset = 0;
  let isAscii = true;
  items.forEach((item, index) => {
    data.writeUInt32LE(offset, OFFSETS_AT + 4 * index);
    if (item === undefined) return;
    const size = sizes[index] ?? 0;
    isAscii &&= size === item.length;
    offset += size + 1;
  });
  data.writeUInt32LE(offset, OFFSETS_AT + 4 * items.length);
  const body = `${items.filter((item) => item !== undefined).join(',')},`;
  // One byte a character as a rule: then the plain copy is the right one, and the fast one.
  if (messages > 0) data.write(body, bodyAt, offset, isAscii ? 'latin1' : 'utf8');
  return { key, record: seal(record) };
}

/** The segment under a key, or undefined if it is damaged. */
export function decodeSegment(key: Buffer, record: Buffer): Segment | undefined {
  const data = unseal(key, record);
  if (data === undefined) return undefined;
  const first = data.readDoubleLE(0);
  return {
    first,
    last: first + data.readUInt32LE(8) - 1,
    messages: data.readUInt32LE(12),
    bytes: data.readUInt32LE(16),
    ageMs: data.readDoubleLE(20),
    data,
  };
}

/** UTF-8 length of a message; 0 if it was taken out. */
export function sizeOf(segment: Segment, seq: number): number {
  const at = OFFSETS_AT + 4 * (seq - segment.first);
  return Math.max(0, segment.data.readUInt32LE(at + 4) - segment.data.readUInt32LE(at) - 1);
}

/** The JSON of the messages from one seq to another, joined by commas; none between them may have been taken out. */
export function bytesOf(segment: Segment, from: number, to = from): Buffer {
  const { data, first, last } = segment;
  const bodyAt = OFFSETS_AT + 4 * (last - first + 2);
  const start = data.readUInt32LE(OFFSETS_AT + 4 * (from - first));
  const end = data.readUInt32LE(OFFSETS_AT + 4 * (to - first + 1)) - 1;
  return data.subarray(bodyAt + start, bodyAt + end);
}

/** A copy with some messages changed or (undefined) taken out. */
export function rewriteSegment(
  lane: Lane,
  segment: Segment,
  changes: ReadonlyMap<number, string | undefined>,
  commit: number,
): { key: Buffer; record: Buffer } {
  const items: (string | undefined)[] = [];
  const sizes: number[] = [];
  for (let seq = segment.first; seq <= segment.last; seq += 1) {
    const size = sizeOf(segment, seq);
    const item = changes.has(seq)
      ? changes.get(seq)
      : size > 0
        ? bytesOf(segment, seq).toString()
        : undefined;
    items.push(item);
    sizes.push(item === undefined ? 0 : Buffer.byteLength(item));
  }
  return encodeSegment(lane, segment.first, items, sizes, { ageMs: segment.ageMs, commit });
}
