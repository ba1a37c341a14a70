import { readSync } from 'node:fs';

/**
 * The two pages in which LMDB keeps the root of its tree. They have no checksum, and it takes the one with the higher
 * transaction number: a flipped bit there can silently bring back the state before the last commit. In a sound file the
 * numbers are consecutive and each in the page that its parity names (in a fresh copy not yet: it gets a transaction more
 * before it becomes a store).
 *
 * Offsets are those of lmdb 3.5.6 on 64-bit machines: a page header of 24 bytes, then magic, version, address, map size,
 * two trees of 48 bytes (the first begins with the page size), last page, transaction number.
 */
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const TRANSACTION_AT = 152;
const META_BYTES = 168;
const LMDB_MAGIC = 0xbeefc0de;

export function metaPagesAreSound(handle: number): boolean {
  const first = readMeta(handle, 0);
  if (first === undefined) return false;
  const second = readMeta(handle, first.pageSize);
  if (second === undefined || second.pageSize !== first.pageSize) return false;
  const inPlace = first.transaction % 2n === 0n && second.transaction % 2n === 1n;
  const difference = first.transaction - second.transaction;
  return inPlace && (difference === 1n || difference === -1n);
}

function readMeta(handle: number, at: number): { pageSize: number; transaction: bigint } | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(handle, page, 0, META_BYTES, at) !== META_BYTES) return undefined;
  const pageSize = page.readUInt32LE(PAGE_SIZE_AT);
  if (page.readUInt32LE(MAGIC_AT) !== LMDB_MAGIC || pageSize < 512 || pageSize > 65_536) return undefined;
  return { pageSize, transaction: page.readBigUInt64LE(TRANSACTION_AT) };
}
