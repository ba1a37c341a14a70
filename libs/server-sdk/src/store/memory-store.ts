import type { Entry, KeyRange } from './server-store.ts';
import {
  GroupCommitStore,
  headOf,
  type GroupCommitOptions,
  type Pieces,
  type StoreBackend,
} from './group-commit-store.ts';

/** Keeps everything in memory: for tests, and for trying the library without a disk. */
export class MemoryBackend implements StoreBackend {
  readonly #entries = new Map<string, Buffer>();
  /** Set by a test that wants to hold back or fail what would be the disk. */
  beforeFlush: () => Promise<void> = () => Promise.resolve();

  get(key: string): Buffer | undefined {
    return this.#entries.get(key);
  }

  range(range: KeyRange): Entry[] {
    const { from, to, limit = Infinity, reverse = false } = range;
    const keys = [...this.#entries.keys()].filter((key) => key >= from && key < to).toSorted();
    if (reverse) keys.reverse();
    return keys.slice(0, limit).flatMap((key) => {
      const value = this.#entries.get(key);
      return value === undefined ? [] : [headOf({ key, value }, range)];
    });
  }

  async flush(writes: ReadonlyMap<string, Pieces | undefined>): Promise<void> {
    await this.beforeFlush();
    for (const [key, value] of writes) {
      if (value === undefined) this.#entries.delete(key);
      else this.#entries.set(key, Buffer.concat(value));
    }
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }
}

export const memoryStore = (options: GroupCommitOptions = {}): GroupCommitStore =>
  new GroupCommitStore(new MemoryBackend(), options);
