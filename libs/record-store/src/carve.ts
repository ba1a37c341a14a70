import { fstatSync, readSync } from 'node:fs';
import type { Entry } from './environment.ts';
import type { SourceRecords } from './merged-records.ts';
import { MAGIC, openRecord, RECORD_HEADER_BYTES } from './record.ts';

/** Where a whole record lies in the file. */
interface Found {
  at: number;
  length: number;
  commit: number;
}

const WINDOW_BYTES = 4 * 2 ** 20;
/** No record is larger: a longer length is damage. */
const LARGEST_RECORD_BYTES = 64 * 2 ** 20;

/**
 * The records in a file whose tree cannot be trusted, found by their magic number and checksum wherever they lie. LMDB
 * copies on write, so old forms of records lie about as well: the youngest of each key counts. Deleted records come back
 * if nothing has overwritten them; what that means is up to the caller, who knows what they are.
 */
export class CarvedRecords implements SourceRecords {
  readonly #handle: number;
  readonly #found: Map<string, Found>;
  #keys: readonly string[];

  constructor(handle: number) {
    this.#handle = handle;
    this.#found = search(handle);
    this.#keys = [...this.#found.keys()].toSorted();
  }

  get size(): number {
    return this.#keys.length;
  }

  /** In their order. */
  *keys(): Generator<Buffer> {
    for (const name of this.#keys) yield Buffer.from(name, 'latin1');
  }

  get(key: Buffer): Buffer | undefined {
    const found = this.#found.get(key.toString('latin1'));
    return found === undefined ? undefined : readAt(this.#handle, found.at, found.length);
  }

  /** Number of the transaction that wrote it. */
  commitOf(key: Buffer): number | undefined {
    return this.#found.get(key.toString('latin1'))?.commit;
  }

  /** Leaves these out from now on. */
  drop(keys: Iterable<Buffer>): void {
    for (const key of keys) this.#found.delete(key.toString('latin1'));
    this.#keys = [...this.#found.keys()].toSorted();
  }

  *range(from: Buffer, to: Buffer): Generator<Entry> {
    const [start, end] = [from.toString('latin1'), to.toString('latin1')];
    for (let index = this.#indexOf(start); index < this.#keys.length; index += 1) {
      const name = this.#keys[index] ?? '';
      if (name >= end) return;
      yield* this.#entry(name);
    }
  }

  *#entry(name: string): Generator<Entry> {
    const key = Buffer.from(name, 'latin1');
    const record = this.get(key);
    if (record !== undefined) yield { key, record };
  }

  /** Place of the first key that is not below `name`. */
  #indexOf(name: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function search(handle: number): Map<string, Found> {
  const found = new Map<string, Found>();
  const { size } = fstatSync(handle);
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC);
  const window = Buffer.alloc(WINDOW_BYTES);
  for (let start = 0; start < size; start += WINDOW_BYTES - RECORD_HEADER_BYTES) {
    const read = readSync(handle, window, 0, WINDOW_BYTES, start);
    const view = window.subarray(0, read);
    for (let at = view.indexOf(magic); at >= 0; at = view.indexOf(magic, at + 4)) {
      if (at + RECORD_HEADER_BYTES > read) break;
      const length = view.readUInt32LE(at + 8);
      if (length > LARGEST_RECORD_BYTES || start + at + length > size) continue;
      const record =
        at + length <= read ? view.subarray(at, at + length) : readAt(handle, start + at, length);
      const opened = record === undefined ? undefined : openRecord(record);
      if (opened === undefined) continue;
      const name = opened.key.toString('latin1');
      if ((found.get(name)?.commit ?? -1) <= opened.commit) {
        found.set(name, { at: start + at, length, commit: opened.commit });
      }
    }
  }
  return found;
}

function readAt(handle: number, at: number, length: number): Buffer | undefined {
  const record = Buffer.allocUnsafeSlow(length);
  return readSync(handle, record, 0, length, at) === length ? record : undefined;
}
