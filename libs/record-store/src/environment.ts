import { InternalError } from '@bowline/runtime/errors';
import { open, type RootDatabase } from 'lmdb';

/** The changes of one transaction: key (latin1) → record, or null to delete. */
export type Writes = ReadonlyMap<string, Buffer | null>;

export interface SomeOf {
  limit?: number;
  reverse?: boolean;
}

export interface Entry {
  key: Buffer;
  record: Buffer;
}

export interface EnvironmentOptions {
  readOnly?: boolean;
  /** Commits without waiting for the disk. */
  noSync?: boolean;
  /** Default 30,000. */
  commitDeadlineMs?: number;
}

/** Of `getStats`, which has no type of its own. */
interface LmdbStats {
  pageSize: number;
  entryCount: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

const DEFAULT_COMMIT_DEADLINE_MS = 30_000;

/**
 * LMDB as this store uses it: one file, one root database, binary keys and values. `overlappingSync` is off, because
 * with it a commit can be acknowledged although its last write failed.
 */
export class Environment {
  readonly #file: string;
  readonly #options: EnvironmentOptions;
  readonly #deadlineMs: number;
  #db: RootDatabase<Buffer, Buffer>;
  /** Bytes that were read since the file was mapped: about as many pages of it count as this process's memory. */
  #touchedBytes = 0;
  /** A commit never ended. */
  #lost = false;

  private constructor(file: string, options: EnvironmentOptions) {
    this.#file = file;
    this.#options = options;
    this.#deadlineMs = options.commitDeadlineMs ?? DEFAULT_COMMIT_DEADLINE_MS;
    this.#db = this.#open();
  }

  static open(file: string, options: EnvironmentOptions = {}): Environment {
    return new Environment(file, options);
  }

  #open(): RootDatabase<Buffer, Buffer> {
    return open<Buffer, Buffer>({
      path: this.#file,
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
      // Else each failed commit also rejects a promise that nobody holds, and the process dies.
      eventTurnBatching: false,
      maxDbs: 1,
      maxReaders: 16,
      readOnly: this.#options.readOnly ?? false,
      noSync: this.#options.noSync ?? false,
    });
  }

  /** A copy of the record, as of the last commit. */
  get(key: Buffer): Buffer | undefined {
    const record = this.#db.get(key);
    if (record !== undefined) this.#touchedBytes += record.length;
    return record;
  }

  /**
   * Copies of the records with `from` ≤ key < `to`. Read it to the end without an await: a snapshot that is held makes the
   * file grow.
   */
  *range(from: Buffer, to: Buffer): Generator<Entry> {
    for (const { key, record } of this.views(from, to)) yield { key, record: Buffer.from(record) };
  }

  /** As {@link range}, at most `limit` of them; `reverse` begins with the highest key, within the same bounds. */
  *some(from: Buffer, to: Buffer, how: SomeOf): Generator<Entry> {
    for (const { key, record } of this.someViews(from, to, how)) yield { key, record: Buffer.from(record) };
  }

  /** As {@link some}, but each record is a view into memory that the next look into the store uses again. */
  *someViews(from: Buffer, to: Buffer, { limit, reverse = false }: SomeOf): Generator<Entry> {
    const bounds = reverse
      ? { start: to, end: from, reverse, exclusiveStart: true, inclusiveEnd: true }
      : { start: from, end: to };
    for (const key of this.#keys({ ...bounds, ...(limit === undefined ? {} : { limit }) })) {
      yield* this.#view(key);
    }
  }

  /** As {@link range}, but each record is a view into memory that the next look into the store uses again. */
  *views(from: Buffer, to: Buffer): Generator<Entry> {
    for (const key of this.#keys({ start: from, end: to })) yield* this.#view(key);
  }

  /** As {@link range}, from the highest key down: `from` ≥ key > `to`. */
  *rangeDown(from: Buffer, to: Buffer): Generator<Entry> {
    for (const key of this.#keys({ start: from, end: to, reverse: true })) {
      for (const { record } of this.#view(key)) yield { key, record: Buffer.from(record) };
    }
  }

  /** The highest key with `from` ≥ key > `to`. */
  keyAtOrBelow(from: Buffer, to: Buffer): Buffer | undefined {
    for (const key of this.#keys({ start: from, end: to, reverse: true, limit: 1 })) return key;
    return undefined;
  }

  *#keys(options: {
    start: Buffer;
    end: Buffer;
    reverse?: boolean;
    exclusiveStart?: boolean;
    inclusiveEnd?: boolean;
    limit?: number;
  }): Generator<Buffer> {
    for (const key of this.#db.getKeys({ ...options, snapshot: false })) yield Buffer.from(key as Uint8Array);
  }

  *#view(key: Buffer): Generator<Entry> {
    const bytes = this.#db.getBinaryFast(key);
    if (bytes === undefined) return;
    // lmdb lends one large buffer with a changed `length`, which the methods of Buffer do not see.
    yield { key, record: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) };
    this.#touchedBytes += bytes.length;
  }

  /**
   * Writes all of it in one transaction; resolves when it is on disk. After some I/O errors lmdb never answers.
   *
   * @throws InternalError `commit-failed` after the deadline; else what LMDB says.
   */
  async commit(writes: Writes): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#lost = true;
      reject(new InternalError('commit-failed', `a transaction took longer than ${this.#deadlineMs} ms`));
    }, this.#deadlineMs);
    try {
      await Promise.race([this.#write(writes), late]);
    } finally {
      clearTimeout(timer);
    }
    this.#db.resetReadTxn();
  }

  async #write(writes: Writes): Promise<void> {
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
  }

  /** How many records there should be, and the bytes of the file that they and its tree take up. */
  stats(): { entries: number; usedBytes: number } {
    const { entryCount, pageSize, ...pages } = this.#db.getStats() as LmdbStats;
    const used = pages.treeBranchPageCount + pages.treeLeafPageCount + pages.overflowPages;
    return { entries: entryCount, usedBytes: used * pageSize };
  }

  /** A compact copy of what is committed. */
  async copyTo(file: string): Promise<void> {
    await this.#db.backup(file, true);
  }

  get touchedBytes(): number {
    return this.#touchedBytes;
  }

  /**
   * Maps the file anew, at once: the pages of it that were read stop counting as memory of this process. Only while no
   * commit is under way. Takes less than a millisecond.
   */
  remap(): void {
    if (this.#lost) return;
    // lmdb closes in this very turn of the event loop if it has no writes to wait for; that it has none is known here, but
    // it would wait for promises that are long fulfilled.
    Object.defineProperty(this.#db, '_endWrites', { value: undefined });
    void this.#db.close();
    this.#db = this.#open();
    this.#touchedBytes = 0;
  }

  /** After a commit that never ended, closing would never end either: then the file stays open. */
  async close(): Promise<void> {
    if (!this.#lost) await this.#db.close();
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
