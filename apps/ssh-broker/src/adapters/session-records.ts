import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SshGrant } from '@bowline/messages';
import { readJsonIfPresent, syncFolder, writeFileDurably } from '@bowline/runtime';
import type { EndReason } from '../core/session-time.ts';
import { isUnwritable } from './durable-lines.ts';

/** How a session ended, as the order's result. */
export interface SessionOutcome {
  status: 'succeeded' | 'failed' | 'cancelled';
  result: { sessionId: string; end: EndReason | 'cut-off'; seconds?: number; survivors: number } & Record<
    string,
    unknown
  >;
  error?: { code: string; message: string };
}

/** What is known of a session whose order has not ended for the gateway. */
export interface SessionRecord {
  orderId: string;
  bootId: string;
  grant: Pick<SshGrant, 'sessionId' | 'user' | 'by' | 'reason' | 'jti'>;
  /** Once it ended, until the gateway has it. */
  outcome?: SessionOutcome;
}

/** A session of which nothing goes on any more, though its time was not up. */
export const cutOff = (sessionId: string, why: string, survivors = 0): SessionOutcome => ({
  status: 'failed',
  result: { sessionId, end: 'cut-off', survivors },
  error: { code: 'session-cut-off', message: why },
});

const FILE = /^([0-9a-f-]{36})\.json$/;

/** One small file an order, on disk before the session begins: after a crash nothing of it is forgotten. */
export class SessionRecords {
  readonly #folder: string;
  readonly #records = new Map<string, SessionRecord>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) {
      const [, orderId] = FILE.exec(name) ?? [];
      const record = orderId === undefined ? undefined : readRecord(join(folder, name));
      if (orderId !== undefined && record?.orderId === orderId) this.#records.set(orderId, record);
    }
  }

  get(orderId: string): SessionRecord | undefined {
    return this.#records.get(orderId);
  }

  all(): SessionRecord[] {
    return [...this.#records.values()];
  }

  put(record: SessionRecord): void {
    writeFileDurably(join(this.#folder, `${record.orderId}.json`), `${JSON.stringify(record)}\n`);
    this.#records.set(record.orderId, record);
  }

  /** What a session that is on record came to. @returns why it is known to this life alone: the disk may be full. */
  ended(orderId: string, outcome: SessionOutcome): Error | undefined {
    const record = this.#records.get(orderId);
    if (record === undefined) return undefined;
    const ended = { ...record, outcome };
    this.#records.set(orderId, ended);
    try {
      this.put(ended);
      return undefined;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return error;
    }
  }

  remove(orderId: string): void {
    rmSync(join(this.#folder, `${orderId}.json`), { force: true });
    this.#records.delete(orderId);
    try {
      syncFolder(this.#folder);
    } catch (error) {
      if (!isUnwritable(error)) throw error; // should a power cut bring it back, its end is told again
    }
  }
}

/** Written by us, durably and whole; one that does not read is no record, and its order ends by the gateway's rule. */
function readRecord(file: string): SessionRecord | undefined {
  return readJsonIfPresent(file) as SessionRecord | undefined;
}
