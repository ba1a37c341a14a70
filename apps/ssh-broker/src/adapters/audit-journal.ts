import { join } from 'node:path';
import { AUDIT_FILES, AUDIT_START, auditHash, readAuditEntry } from '@bowline/identity';
import type { AuditEntry, AuditMark, Event } from '@bowline/messages';
import type { Timer } from '@bowline/runtime/clock';
import { TransientError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { EventOutbox, type OutboxPorts } from './event-outbox.ts';
import { DurableLines, isUnwritable, linesOf } from './durable-lines.ts';

type Options = { severity?: Event['severity']; from?: string };

const UNSENT = 'audit-unsent.ndjson';
/** So often a full disk is tried again. */
const TRY_AGAIN_MS = 1000;
/** Entries that wait for room on the disk; what comes then is told to the log alone. */
const MOST_UNWRITTEN = 1000;

/**
 * Who had a session, when and why, and how it ended: a chain of entries (libs/identity: audit-chain.ts), one a line in a file of
 * ours, and each with its hash on the `events` lane. Whoever changes or takes out a line breaks the chain, and the server holds
 * the hashes. At its cap the file is set aside (one is kept) and the chain goes on.
 *
 * No session hangs on the disk: where that is full the server is told, and the lines are written once there is room.
 */
export class AuditJournal {
  readonly #folder: string;
  readonly #lines: DurableLines;
  readonly #outbox: EventOutbox;
  readonly #maxBytes: () => number;
  readonly #ports: OutboxPorts;
  #mark: AuditMark;
  /** For want of room. */
  #unwritten: string[] = [];
  #retry: Timer | undefined;

  constructor(folder: string, maxBytes: () => number, ports: OutboxPorts) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#ports = ports;
    this.#lines = new DurableLines(this.#at('current'));
    this.#outbox = new EventOutbox(join(folder, UNSENT), ports);
    const { mark, unread } = lastMark(this.#lines.all(), this.#older());
    this.#mark = mark;
    if (unread > 0) this.#lines.setAside(this.#at('damaged'));
    // On the way to the server already when we were cut off, but not in the journal.
    for (const { entry } of this.#outbox.waiting) if (entry.seq > this.#mark.seq) this.#follow(entry);
    this.#outbox.send();
    if (unread > 0)
      this.note(
        'ssh.audit-damaged',
        { lines: unread, setAside: AUDIT_FILES.damaged },
        { severity: 'critical' },
      );
  }

  /**
   * What must be in the journal before it happens.
   *
   * @throws TransientError `audit-unwritable`
   */
  append(kind: string, data: Record<string, unknown>, options: Options = {}): void {
    if (this.#write()) this.note(kind, data, options);
    if (this.#unwritten.length > 0)
      throw new TransientError(
        'audit-unwritable',
        'the audit journal cannot be written: make room on the disk',
      );
  }

  /** What has happened, or goes on whether it can be written or not: the server is told, and the line waits for room. */
  note(kind: string, data: Record<string, unknown>, { severity = 'info', from = '' }: Options = {}): void {
    if (this.#unwritten.length >= MOST_UNWRITTEN) {
      this.#ports.log.error(
        { kind, ...data },
        'too much of the audit waits for the disk: this is in no journal',
      );
      return;
    }
    const at = Math.round(this.#ports.clock.wallMs());
    const target = Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)]));
    const record = { seq: this.#mark.seq + 1, at, from, action: kind, target, prev: this.#mark.hash };
    const entry: AuditEntry = { ...record, hash: auditHash(record) };
    const { seq, prev, hash } = entry;
    const remote = from === '' ? {} : { remote: from };
    const event = { kind, severity, at, data: { ...data, ...remote, chain: { seq, prev, hash } } };
    this.#outbox.put({ id: newId(), entry, event });
    this.#follow(entry);
    this.#ports.log.info({ kind, ...data, seq, hash }, 'audit');
  }

  /** Whether it has such an entry about a session. */
  has(kind: string, sessionId: string): boolean {
    return [...this.#older(), ...this.#lines.all(), ...this.#unwritten].some((line) => {
      const entry = readAuditEntry(line);
      return entry?.action === kind && entry.target['sessionId'] === sessionId;
    });
  }

  /** Resolves when everything was handed over, or is left to the next life of this app. */
  sent(): Promise<void> {
    return this.#outbox.sent();
  }

  #at(file: keyof typeof AUDIT_FILES): string {
    return join(this.#folder, AUDIT_FILES[file]);
  }

  #older(): string[] {
    return linesOf(this.#at('older'));
  }

  #follow(entry: AuditEntry): void {
    this.#mark = { seq: entry.seq, hash: entry.hash };
    this.#unwritten.push(JSON.stringify(entry));
    this.#write();
  }

  /** @returns whether nothing waits any more. */
  #write(): boolean {
    const { clock, log } = this.#ports;
    try {
      for (let line = this.#unwritten[0]; line !== undefined; line = this.#unwritten[0]) {
        if (this.#lines.bytes > 0 && this.#lines.bytes + line.length > this.#maxBytes())
          this.#lines.setAside(this.#at('older'));
        this.#lines.append(line);
        this.#unwritten.shift();
      }
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      if (this.#retry === undefined) log.error({ error }, 'the audit journal cannot be written: make room');
      this.#retry?.cancel();
      this.#retry = clock.after(TRY_AGAIN_MS, () => this.#write());
      return false;
    }
    if (this.#retry !== undefined) log.info({}, 'the audit journal is written again');
    this.#retry?.cancel();
    this.#retry = undefined;
    return true;
  }
}

/**
 * Where the chain goes on: behind the last entry that reads. Those that do not read leave a gap in the numbers, so that nobody takes
 * what comes for what they were.
 */
function lastMark(lines: readonly string[], older: readonly string[]): { mark: AuditMark; unread: number } {
  const readable = lines.map(readAuditEntry);
  const at = readable.findLastIndex((entry) => entry !== undefined);
  const unread = lines.length - 1 - at;
  const last =
    readable[at] ?? older.map(readAuditEntry).findLast((entry) => entry !== undefined) ?? AUDIT_START;
  return { mark: { seq: last.seq + unread, hash: last.hash }, unread };
}
