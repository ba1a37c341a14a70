import { crc32 } from 'node:zlib';

/**
 * The frame around every value of the store: LMDB has no checksums of its own, and a flipped bit in one of its pages
 * can also lead a key to another key's value. So a record names its key, and the checksum covers both.
 *
 * Layout, little-endian: magic u32 | crc u32 | length of the record u32 | length of the key u32 | commit f64 | key | payload.
 * The checksum is CRC-32 (IEEE 802.3) of everything behind it: Node's zlib computes it in native code at 4 GB/s, and for
 * records below 1 MiB it finds what CRC-32C finds (every burst up to 32 bits, all but one in 2^32 of the rest).
 */
export const RECORD_HEADER_BYTES = 24;
/** "BQR1" */
export const MAGIC = 0x31525142;
const CHECKED_FROM = 8;

/**
 * An empty record with room for a payload; fill it from `payloadAt` on, then {@link seal} it.
 *
 * @param commit number of the transaction that writes it: of two copies of a record, salvage takes the younger.
 */
export function allocate(
  key: Buffer,
  payloadBytes: number,
  commit: number,
): { record: Buffer; payloadAt: number } {
  const start = payloadAt(key);
  const record = Buffer.allocUnsafeSlow(start + payloadBytes);
  record.writeUInt32LE(MAGIC, 0);
  record.writeUInt32LE(record.length, 8);
  record.writeUInt32LE(key.length, 12);
  record.writeDoubleLE(commit, 16);
  key.copy(record, RECORD_HEADER_BYTES);
  return { record, payloadAt: start };
}

/** Where the payload of a record with this key begins. */
export const payloadAt = (key: Buffer): number => RECORD_HEADER_BYTES + key.length;

export function seal(record: Buffer): Buffer {
  record.writeUInt32LE(crc32(record.subarray(CHECKED_FROM)), 4);
  return record;
}

/** The payload, or undefined if the record is damaged or belongs to another key. */
export function unseal(key: Buffer, record: Buffer): Buffer | undefined {
  const opened = openRecord(record);
  return opened?.key.equals(key) === true ? opened.payload : undefined;
}

export interface OpenedRecord {
  key: Buffer;
  commit: number;
  payload: Buffer;
}

/** The parts of a record, or undefined if it is damaged. */
export function openRecord(record: Buffer): OpenedRecord | undefined {
  if (record.length < RECORD_HEADER_BYTES || record.readUInt32LE(0) !== MAGIC) return undefined;
  if (record.readUInt32LE(8) !== record.length) return undefined;
  const payloadAt = RECORD_HEADER_BYTES + record.readUInt32LE(12);
  if (payloadAt > record.length || record.readUInt32LE(4) !== crc32(record.subarray(CHECKED_FROM)))
    return undefined;
  return {
    key: record.subarray(RECORD_HEADER_BYTES, payloadAt),
    commit: record.readDoubleLE(16),
    payload: record.subarray(payloadAt),
  };
}

/** A record whose payload is a JSON value: everything but segments. */
export function jsonRecord(key: Buffer, value: unknown, commit: number): Buffer {
  const text = JSON.stringify(value);
  const { record, payloadAt } = allocate(key, Buffer.byteLength(text), commit);
  record.write(text, payloadAt);
  return seal(record);
}

/** The value in a record of {@link jsonRecord}, or undefined if it is damaged. */
export function jsonOf<T>(key: Buffer, record: Buffer): T | undefined {
  const payload = unseal(key, record);
  return payload === undefined ? undefined : (JSON.parse(payload.toString()) as T);
}
