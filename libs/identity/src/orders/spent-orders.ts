import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { hasCode, RejectedError, TransientError } from '@bowline/runtime/errors';

/**
 * How far an order has come that carries a signature: `claimed`, nothing was done yet; `begun`, its effect may be there;
 * `ended`, it is over.
 */
export type SpentPhase = 'claimed' | 'begun' | 'ended';

export interface SpentOrder {
  orderId: string;
  phase: SpentPhase;
  /** With `ended`: how, as JSON, until the gateway has it. */
  outcome: string | undefined;
}

interface Claim {
  /** `jti`, or the order's id where the order itself is what is good once. */
  id: string;
  orderId: string;
  exp: number;
  iat: number | undefined;
  /** Server time, but not before {@link SignedTime}; epoch milliseconds. */
  nowMs: number;
}

/** More unexpired signed orders than these are refused: none is ever forgotten before its time. */
const MAX_ROWS = 10_000;
/** About how many rows go at once when the table is full. */
const SWEEP_ROWS = 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS spent (
    id TEXT PRIMARY KEY, orderId TEXT NOT NULL, exp INTEGER NOT NULL, phase TEXT NOT NULL, outcome TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS spent_exp ON spent (exp);
  CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/**
 * What makes a signature good once, across `kill -9` and power cuts (protocol, section 6: `jti` is single-use on the
 * device, durably). In a file of the app that has the effect, so that a gateway that hands an order over twice, or under
 * another id, gets nothing by it. Every method returns after the disk has it.
 *
 * It is bounded: rows go when their `exp` is past and room is needed. Since the time comes from the server, a wrong one
 * could make it forget too early; so the highest `exp` ever forgotten is kept, and nothing that old is taken any more.
 */
export class SpentOrders {
  readonly #database: DatabaseSync;
  /** A damaged file was set aside: nothing that was issued before is taken. */
  readonly recovered: boolean;

  /** @param expected there has been one: if it is gone, that is a loss as well. */
  constructor(file: string, { expected = false } = {}) {
    const isGone = expected && !existsSync(file);
    const { database, recovered } = open(file);
    this.#database = database;
    this.recovered = recovered || isGone;
    if (this.recovered) this.#mark('lost', 1);
  }

  /** {@link SeenVersions}: what this app knows of its trust bundle lies in this file as well. */
  readonly versions = {
    seen: (rootThumbprint: string): number => this.#marked(`trust ${rootThumbprint}`) ?? 0,
    saw: (rootThumbprint: string, version: number): void => this.#mark(`trust ${rootThumbprint}`, version),
  };

  /** {@link SignedTime}: a second place for it. */
  readonly signedTime = {
    reached: (): number => this.#marked('signedTime') ?? 0,
    reach: (seconds: number): void => this.#mark('signedTime', seconds),
  };

  /**
   * Takes a signature for an order, before anything is done for it. The same order again, after a crash, finds out how far
   * it had come.
   *
   * @returns undefined if it is new.
   * @throws RejectedError `replayed`, `signature-expired`, `issued-before-loss`; TransientError `spent-orders-full`,
   *   `spent-orders-unwritable`.
   */
  claim({ id, orderId, exp, iat, nowMs }: Claim): SpentOrder | undefined {
    const known = this.find(id, orderId);
    if (known !== undefined) return known;
    if (exp <= (this.#marked('forgotten') ?? 0))
      throw new RejectedError('signature-expired', 'it is older than what this device still remembers');
    this.#refuseIssuedBeforeLoss(iat, nowMs);
    this.#makeRoom(nowMs);
    this.#write("INSERT INTO spent (id, orderId, exp, phase) VALUES (?, ?, ?, 'claimed')", id, orderId, exp);
    return undefined;
  }

  /**
   * How far this order came with this signature; undefined if that was not used yet.
   *
   * @throws RejectedError `replayed`: another order used it.
   */
  find(id: string, orderId: string): SpentOrder | undefined {
    const known = this.#row(id);
    if (known !== undefined && known.orderId !== orderId)
      throw new RejectedError('replayed', `it was used by order ${known.orderId} already`);
    return known;
  }

  /** Its effect is about to begin. */
  begin(id: string): void {
    this.#write("UPDATE spent SET phase = 'begun' WHERE id = ?", id);
  }

  /** It is over. @param outcome JSON, if the gateway does not have it yet; call it again without once it has. */
  end(id: string, outcome?: string): void {
    this.#write("UPDATE spent SET phase = 'ended', outcome = ? WHERE id = ?", outcome ?? null, id);
  }

  close(): void {
    this.#database.close();
  }

  /** A disk that is full or gone is no reason to end: the order waits, nothing has begun. */
  #write(statement: string, ...values: (string | number | null)[]): void {
    try {
      this.#database.prepare(statement).run(...values);
    } catch (error) {
      if (!hasCode(error, 'ERR_SQLITE_ERROR')) throw error;
      throw new TransientError(
        'spent-orders-unwritable',
        `used signatures cannot be recorded: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  #row(id: string): SpentOrder | undefined {
    const row = this.#database.prepare('SELECT orderId, phase, outcome FROM spent WHERE id = ?').get(id);
    if (row === undefined) return undefined;
    const { orderId, phase, outcome } = row as { orderId: string; phase: SpentPhase; outcome: string | null };
    return { orderId, phase, outcome: outcome ?? undefined };
  }

  /** After the loss of a file nobody knows what was used: only what was issued since can be new. */
  #refuseIssuedBeforeLoss(iat: number | undefined, nowMs: number): void {
    if (this.#marked('lost') === 1) {
      this.#mark('issuedAfter', Math.ceil(nowMs / 1000));
      this.#mark('lost', 0);
    }
    const issuedAfter = this.#marked('issuedAfter');
    if (issuedAfter === undefined || (iat !== undefined && iat > issuedAfter)) return;
    throw new RejectedError(
      'issued-before-loss',
      'this device has lost its record of used signatures: sign anew, with an iat after that',
    );
  }

  #makeRoom(nowMs: number): void {
    const { rows } = this.#database.prepare('SELECT count(*) AS rows FROM spent').get() as { rows: number };
    if (rows < MAX_ROWS) return;
    const { exp } = this.#database
      .prepare('SELECT max(exp) AS exp FROM (SELECT exp FROM spent WHERE exp <= ? ORDER BY exp LIMIT ?)')
      .get(Math.floor(nowMs / 1000), SWEEP_ROWS) as { exp: number | null };
    if (exp === null)
      throw new TransientError(
        'spent-orders-full',
        `${rows} signed orders are under way or not yet expired: no more can be remembered`,
      );
    // First what is forgotten, then the forgetting: cut off between, too much is refused, never too little.
    this.#mark('forgotten', Math.max(exp, this.#marked('forgotten') ?? 0));
    this.#write('DELETE FROM spent WHERE exp <= ?', exp);
  }

  #marked(name: string): number | undefined {
    const row = this.#database.prepare('SELECT value FROM mark WHERE name = ?').get(name);
    return (row as { value: number } | undefined)?.value;
  }

  #mark(name: string, value: number): void {
    this.#write('INSERT OR REPLACE INTO mark (name, value) VALUES (?, ?)', name, value);
  }
}

/** A damaged file is set aside, never trusted and never the end. */
function open(file: string): { database: DatabaseSync; recovered: boolean } {
  try {
    return { database: openSound(file), recovered: false };
  } catch (error) {
    if (!hasCode(error, 'ERR_SQLITE_ERROR') || !/malformed|not a database/.test(error.message)) throw error;
    renameSync(file, `${file}.damaged`);
    rmSync(`${file}-journal`, { force: true }); // it belongs to the damaged file
    return { database: openSound(file), recovered: true };
  }
}

function openSound(file: string): DatabaseSync {
  closeSync(openSync(file, 'a', 0o600)); // SQLite would make it readable by others
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;');
    const { quick_check: verdict } = database.prepare('PRAGMA quick_check(1)').get() as {
      quick_check: string;
    };
    if (verdict !== 'ok')
      throw Object.assign(new Error(`malformed: ${verdict}`), { code: 'ERR_SQLITE_ERROR' });
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
