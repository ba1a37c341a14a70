import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;

/** LMDB has no checksums of its own: a flipped bit must not become a fact. */
export function seal(body: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(CHECKSUM_BYTES + body.length);
  sealed.writeUInt32LE(crc32(body));
  sealed.set(body, CHECKSUM_BYTES);
  return sealed;
}

/** The body, or undefined if it is not what was sealed. */
export function unseal(sealed: Buffer): Buffer | undefined {
  if (sealed.length < CHECKSUM_BYTES) return undefined;
  const body = sealed.subarray(CHECKSUM_BYTES);
  return sealed.readUInt32LE() === crc32(body) ? body : undefined;
}
