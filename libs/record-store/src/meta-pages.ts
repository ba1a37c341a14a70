import { readSync } from 'node:fs';

/**
 * The two pages in which LMDB keeps the root of its tree. They have no checksum, and it takes the one with the higher
 * transaction number: a flipped bit there can silently bring back the state before the last commit. In a sound file the
 * numbers are consecutive and each in the page that its parity names (in a fresh copy not yet: it gets a transaction more
 * before it becomes a store).
 *
 * Offsets are those of lmdb 3.5.6 on 64-bit machines: a page header of 24 bytes, then magic, version, address, map size,
 * two trees of 48 bytes (of the free pages and of the records; the first begins with the page size, each ends with its
 * root), last page, transaction number.
 */
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const FREE_ROOT_AT = 88;
const ROOT_AT = 136;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const META_BYTES = 168;
const LMDB_MAGIC = 0xbeefc0de;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** What the present state of a file hangs on. */
export interface Roots {
  pageSize: number;
  /** Page of the root of each tree; undefined if it is empty. */
  freeRoot: number | undefined;
  root: number | undefined;
  lastPage: number;
}

export const metaPagesAreSound = (handle: number): boolean => readRoots(handle) !== undefined;

/** Of the younger of the two pages; undefined if they are not sound. */
export function readRoots(handle: number): Roots | undefined {
  const first = readMeta(handle, 0);
  const second = first && readMeta(handle, first.pageSize);
  if (first === undefined || second === undefined || second.pageSize !== first.pageSize) return undefined;
  const inPlace = first.transaction % 2n === 0n && second.transaction % 2n === 1n;
  const difference = first.transaction - second.transaction;
  if (!inPlace || (difference !== 1n && difference !== -1n)) return undefined;
  return difference === 1n ? first : second;
}

function readMeta(handle: number, at: number): (Roots & { transaction: bigint }) | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(handle, page, 0, META_BYTES, at) !== META_BYTES) return undefined;
  const pageSize = page.readUInt32LE(PAGE_SIZE_AT);
  if (page.readUInt32LE(MAGIC_AT) !== LMDB_MAGIC || pageSize < 512 || pageSize > 65_536) return undefined;
  const pageAt = (place: number) => {
    const number = page.readBigUInt64LE(place);
    return number === NO_PAGE ? undefined : Number(number);
  };
  return {
    pageSize,
    freeRoot: pageAt(FREE_ROOT_AT),
    root: pageAt(ROOT_AT),
    lastPage: Number(page.readBigUInt64LE(LAST_PAGE_AT)),
    transaction: page.readBigUInt64LE(TRANSACTION_AT),
  };
}
