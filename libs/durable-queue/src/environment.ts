import { open, type RootDatabase } from 'lmdb';

/** The changes of one transaction: key (latin1) → record, or null to delete. */
export type Writes = ReadonlyMap<string, Buffer | null>;

export interface Entry {
  key: Buffer;
  record: Buffer;
}

/**
 * LMDB as this store uses it: one file, one root database, binary keys and values. `overlappingSync` is off, because
 * with it a commit can be acknowledged although its last write failed.
 */
export class Environment {
  readonly #db: RootDatabase<Buffer, Buffer>;

  private constructor(db: RootDatabase<Buffer, Buffer>) {
    this.#db = db;
  }

  static open(file: string, options: { readOnly?: boolean } = {}): Environment {
    return new Environment(
      open<Buffer, Buffer>({
        path: file,
        noSubdir: true,
        encoding: 'binary',
        keyEncoding: 'binary',
        overlappingSync: false,
        // Else each failed commit also rejects a promise that nobody holds, and the process dies.
        eventTurnBatching: false,
        maxDbs: 1,
        maxReaders: 16,
        ...options,
      }),
    );
  }

  /** A copy of the record, as of the last commit. */
  get(key: Buffer): Buffer | undefined {
    return this.#db.get(key);
  }

  /**
   * The records with `from` ≤ key < `to`. Read it to the end without an await: a snapshot that is held makes the file
   * grow.
   */
  *range(from: Buffer, to: Buffer): Generator<Entry> {
    for (const { key, value } of this.#db.getRange({ start: from, end: to, snapshot: false })) {
      yield { key: Buffer.from(key as Uint8Array), record: value };
    }
  }

  /** As {@link range}, from the highest key down: `from` ≥ key > `to`. */
  *rangeDown(from: Buffer, to: Buffer): Generator<Entry> {
    for (const { key, value } of this.#db.getRange({
      start: from,
      end: to,
      reverse: true,
      snapshot: false,
    })) {
      yield { key: Buffer.from(key as Uint8Array), record: value };
    }
  }

  /** Writes all of it in one transaction; resolves when it is on disk. */
  async commit(writes: Writes): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const [key, record] of writes) {
          if (record === null) void this.#db.remove(Buffer.from(key, 'latin1'));
          else void this.#db.put(Buffer.from(key, 'latin1'), record);
        }
      });
    } catch (error) {
      throw await causeOf(error);
    }
    this.#db.resetReadTxn();
  }

  /** A compact copy of what is committed. */
  async copyTo(file: string): Promise<void> {
    await this.#db.backup(file, true);
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

/** lmdb rejects with an error that holds a second promise, which rejects with the real one. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
