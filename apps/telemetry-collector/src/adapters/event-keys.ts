import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDamage } from '@bowline/history-store';
import { hasCode, TransientError } from '@bowline/runtime/errors';

/** What is known of a key: which event it stood for, and whether that is the gateway's. */
export interface KnownEvent {
  /** Of the message: the same for every repeat. */
  id: string;
  /** Of the event as it was given, so that another one under the same key is noticed. */
  fingerprint: string;
  durable: boolean;
}

/** So many keys are remembered; beyond that the oldest go. */
const MOST_KEYS = 10_000;

const SCHEMA = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS key (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL, fingerprint TEXT NOT NULL, durable INTEGER NOT NULL
  ) STRICT;
`;

/**
 * The idempotency keys of events, across kills and power cuts. A key is on the disk before its event is handed over, with the
 * id that the event will have, so a repeat is the same message. A file that does not read any more is replaced: then a
 * repeat makes a second event, nothing worse.
 */
export class EventKeys {
  readonly #file: string;
  #opened: DatabaseSync | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Opened when it is needed first: a disk that is full by then refuses that event, not the start. */
  get #database(): DatabaseSync {
    return (this.#opened ??= open(this.#file));
  }

  /** @throws TransientError `keys-unwritable`: the disk is full or gone. */
  known(name: string): KnownEvent | undefined {
    const row = this.#try(() =>
      this.#database.prepare('SELECT id, fingerprint, durable FROM key WHERE name = ?').get(name),
    );
    if (row === undefined) return undefined;
    const { id, fingerprint, durable } = row as { id: string; fingerprint: string; durable: number };
    return { id, fingerprint, durable: durable === 1 };
  }

  /** @throws TransientError `keys-unwritable` */
  begin(name: string, { id, fingerprint }: Omit<KnownEvent, 'durable'>): void {
    this.#try(() => {
      this.#database
        .prepare('INSERT INTO key (name, id, fingerprint, durable) VALUES (?, ?, ?, 0)')
        .run(name, id, fingerprint);
      this.#database
        .prepare('DELETE FROM key WHERE number <= (SELECT max(number) FROM key) - ?')
        .run(MOST_KEYS);
    });
  }

  /** @throws TransientError `keys-unwritable` */
  durable(name: string): void {
    this.#try(() => this.#database.prepare('UPDATE key SET durable = 1 WHERE name = ?').run(name));
  }

  close(): void {
    this.#opened?.close();
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!hasCode(error, 'ERR_SQLITE_ERROR')) throw error;
      throw new TransientError('keys-unwritable', `the key cannot be recorded: ${error.message}`, {
        cause: error,
      });
    }
  }
}

function open(file: string): DatabaseSync {
  try {
    return opened(file);
  } catch (error) {
    if (!isDamage(error)) throw error;
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    return opened(file);
  }
}

function opened(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
