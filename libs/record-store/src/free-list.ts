import { fstatSync, readSync } from 'node:fs';
import { readRoots, type Roots } from './meta-pages.ts';

/**
 * LMDB's list of free pages has no checksum and is only believed when pages are given out again, long after the file was
 * opened: a flipped bit there makes it write over live data, or end the process, at every start anew. So every page is
 * looked at: those of the tree must be what they say, and no free page may lie outside the file, in the tree, or twice in
 * the list.
 *
 * Offsets are those of lmdb 3.5.6 on 64-bit machines. A page begins with its number, a transaction number, two bytes of
 * padding, flags, and the bounds of its free room (of overflow pages instead how many they are). A node: low and high half
 * of the length of its value, flags, length of its key; in a branch the first three are the number of a page.
 * The list: under each transaction number a count and as many numbers, of which -n says that the next is the first of n
 * pages, and 0 nothing.
 */
const FLAGS_AT = 18;
const LOWER_AT = 20;
const OVERFLOW_PAGES_AT = 20;
const PAGE_HEADER_BYTES = 24;
const NODE_HEADER_BYTES = 8;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
/** The value lies in pages of its own. */
const BIG = 1;
/** The two that hold the roots. */
const META_PAGES = 2;
const DEEPEST = 32;

export function freeListIsSound(handle: number): boolean {
  const roots = readRoots(handle);
  if (roots === undefined || (roots.lastPage + 1) * roots.pageSize > fstatSync(handle).size) return false;
  try {
    new PageAccount(handle, roots).bookAll();
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Books every page once; whatever cannot be is a RangeError, as a Buffer throws it that is read beyond its end. */
class PageAccount {
  readonly #handle: number;
  readonly #roots: Roots;
  readonly #booked: Uint8Array;

  constructor(handle: number, roots: Roots) {
    this.#handle = handle;
    this.#roots = roots;
    this.#booked = new Uint8Array(roots.lastPage + 1);
  }

  bookAll(): void {
    const lists: Buffer[] = [];
    if (this.#roots.root !== undefined) this.#bookTree(this.#roots.root);
    if (this.#roots.freeRoot !== undefined) this.#bookTree(this.#roots.freeRoot, lists);
    for (const list of lists) this.#bookFree(list);
  }

  /** @param values gets what the leaves hold. */
  #bookTree(root: number, values?: Buffer[], depth = 0): void {
    if (depth > DEEPEST) throw new RangeError('a tree without end');
    this.#book(root, 1);
    const page = this.#read(root, 1);
    const kind = page.readUInt16LE(FLAGS_AT) & (BRANCH | LEAF | OVERFLOW);
    if (kind !== BRANCH && kind !== LEAF) throw new RangeError(`page ${root} is not of a tree`);
    const nodes = page.readUInt16LE(LOWER_AT) / 2;
    for (let index = 0; index < nodes; index += 1) {
      const at = PAGE_HEADER_BYTES + page.readUInt16LE(PAGE_HEADER_BYTES + 2 * index);
      if (kind === BRANCH) this.#bookTree(page.readUIntLE(at, 6), values, depth + 1);
      else this.#bookValue(page, at, values);
    }
  }

  #bookValue(page: Buffer, at: number, values: Buffer[] | undefined): void {
    const length = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const valueAt = at + NODE_HEADER_BYTES + page.readUInt16LE(at + 6);
    if ((flags & BIG) === 0) {
      if (valueAt + length > page.length) throw new RangeError('a value ends outside its page');
      values?.push(page.subarray(valueAt, valueAt + length));
      return;
    }
    const first = Number(page.readBigUInt64LE(valueAt));
    const head = this.#read(first, 1);
    const pages = head.readUInt32LE(OVERFLOW_PAGES_AT);
    const isHead = (head.readUInt16LE(FLAGS_AT) & OVERFLOW) !== 0;
    if (!isHead || PAGE_HEADER_BYTES + length > pages * this.#roots.pageSize)
      throw new RangeError(`page ${first} does not hold what it should`);
    this.#book(first, pages);
    values?.push(this.#read(first, pages).subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + length));
  }

  #bookFree(list: Buffer): void {
    const count = Number(list.readBigInt64LE(0));
    let run = 1;
    for (let index = 1; index <= count; index += 1) {
      const entry = Number(list.readBigInt64LE(8 * index));
      if (entry < 0) run = -entry;
      else if (entry > 0) {
        this.#book(entry, run);
        run = 1;
      }
    }
  }

  #book(first: number, pages: number): void {
    if (first < META_PAGES || pages < 1 || first + pages > this.#booked.length)
      throw new RangeError(`page ${first} is not in the file`);
    for (let page = first; page < first + pages; page += 1) {
      if (this.#booked[page] === 1) throw new RangeError(`page ${page} is used twice`);
      this.#booked[page] = 1;
    }
  }

  /** @throws RangeError if it has another number than it should. */
  #read(number: number, pages: number): Buffer {
    const { pageSize } = this.#roots;
    const bytes = Buffer.alloc(pages * pageSize);
    if (number < this.#booked.length) readSync(this.#handle, bytes, 0, bytes.length, number * pageSize);
    if (Number(bytes.readBigUInt64LE(0)) !== number) throw new RangeError(`page ${number} is another`);
    return bytes;
  }
}
