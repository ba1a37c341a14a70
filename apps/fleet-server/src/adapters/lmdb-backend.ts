import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry, KeyRange, StoreBackend } from '@bowline/server-sdk';
import { open, type RootDatabase } from 'lmdb';

/**
 * LMDB under a {@link GroupCommitStore}: one database, text keys, binary values.
 *
 * `overlappingSync: false`: else a commit may be acknowledged that the disk has refused. `snapshot: false` and ranges read
 * to their end: a snapshot that is held makes the file grow without end.
 */
export class LmdbBackend implements StoreBackend {
  readonly #db: RootDatabase<Buffer, string>;

  /** @param folder created 0700 if absent. Only one process may open it: hold a lock. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#db = open<Buffer, string>({
      path: join(folder, 'data.mdb'),
      noSubdir: true,
      encoding: 'binary',
      overlappingSync: false,
      maxDbs: 1,
      maxReaders: 16,
    });
  }

  get(key: string): Buffer | undefined {
    return this.#db.get(key);
  }

  range({ from, to, limit, reverse = false }: KeyRange): Entry[] {
    const bounds = reverse
      ? { start: to, end: from, reverse, exclusiveStart: true, inclusiveEnd: true }
      : { start: from, end: to };
    return [...this.#db.getRange({ ...bounds, snapshot: false, ...(limit === undefined ? {} : { limit }) })];
  }

  async flush(writes: ReadonlyMap<string, Buffer | undefined>): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const [key, value] of writes) {
          if (value === undefined) void this.#db.remove(key);
          else void this.#db.put(key, value);
        }
      });
    } catch (error) {
      await commitError(error);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

/** lmdb hands out the cause as a second promise that rejects: unhandled, it would end the process before it is logged. */
async function commitError(failure: unknown): Promise<void> {
  if (typeof failure !== 'object' || failure === null || !('commitError' in failure)) return;
  await Promise.allSettled([failure.commitError]);
}
