import {
  allocate,
  Environment,
  openRecord,
  payloadAt,
  seal,
  unseal,
  type Writes,
} from '@bowline/record-store';
import type { Entry, KeyRange, Pieces, StoreBackend } from '@bowline/server-sdk/store';

export interface LmdbOptions {
  /** A commit that takes longer ends the process; default 30,000. */
  commitDeadlineMs?: number;
  /** The highest commit number in the file: of two forms of a record, salvage takes the younger. */
  lastCommit?: number;
  /** Called with the key of each record that turns out to be damaged; it counts as absent. */
  onDamage?: (key: string) => void;
}

/** Keys of the server are ASCII. */
export const keyOf = (key: string): Buffer => Buffer.from(key, 'latin1');
export const textOf = (key: Buffer): string => key.toString('latin1');

/** LMDB under a {@link GroupCommitStore}: each body in the frame of a checked record. */
export class LmdbBackend implements StoreBackend {
  readonly #env: Environment;
  readonly #onDamage: (key: string) => void;
  #commit: number;

  /** Only one process may open it for writing: hold a lock. A file that may be damaged is checked in a child first. */
  constructor(file: string, { commitDeadlineMs, lastCommit = 0, onDamage = () => {} }: LmdbOptions = {}) {
    this.#env = Environment.open(file, commitDeadlineMs === undefined ? {} : { commitDeadlineMs });
    this.#commit = lastCommit;
    this.#onDamage = onDamage;
  }

  get(key: string): Buffer | undefined {
    const record = this.#env.get(keyOf(key));
    return record && this.#bodyOf(keyOf(key), record);
  }

  range({ from, to, headBytes, ...how }: KeyRange): Entry[] {
    if (headBytes !== undefined) return this.#heads({ from, to, ...how }, headBytes);
    const entries: Entry[] = [];
    for (const { key, record } of this.#env.some(keyOf(from), keyOf(to), how)) {
      const value = this.#bodyOf(key, record);
      if (value !== undefined) entries.push({ key: textOf(key), value });
    }
    return entries;
  }

  #heads({ from, to, ...how }: KeyRange, headBytes: number): Entry[] {
    const entries: Entry[] = [];
    for (const { key, record } of this.#env.someViews(keyOf(from), keyOf(to), how)) {
      const at = payloadAt(key);
      const value = Buffer.from(record.subarray(at, at + headBytes));
      if (value.length < headBytes) this.#onDamage(textOf(key));
      else entries.push({ key: textOf(key), value, bytes: record.length - at });
    }
    return entries;
  }

  flush(bodies: ReadonlyMap<string, Pieces | undefined>): Promise<void> {
    this.#commit += 1;
    const writes = new Map<string, Buffer | null>();
    for (const [key, body] of bodies)
      writes.set(key, body === undefined ? null : framed(key, body, this.#commit));
    return this.#env.commit(writes satisfies Writes);
  }

  /** A compact copy of what is committed; it becomes a store by {@link finishCopy}. */
  copyTo(file: string): Promise<void> {
    return this.#env.copyTo(file);
  }

  get lastCommit(): number {
    return this.#commit;
  }

  get usedBytes(): number {
    return this.#env.stats().usedBytes;
  }

  close(): Promise<void> {
    return this.#env.close();
  }

  #bodyOf(key: Buffer, record: Buffer): Buffer | undefined {
    const body = unseal(key, record);
    if (body === undefined) this.#onDamage(textOf(key));
    return body;
  }
}

export function framed(key: string, body: Pieces, commit: number): Buffer {
  const bytes = body.reduce((sum, piece) => sum + piece.length, 0);
  const { record, payloadAt: start } = allocate(keyOf(key), bytes, commit);
  let at = start;
  for (const piece of body) {
    record.set(piece, at);
    at += piece.length;
  }
  return seal(record);
}

export const isWhole = (key: Buffer, record: Buffer): boolean => openRecord(record)?.key.equals(key) === true;
