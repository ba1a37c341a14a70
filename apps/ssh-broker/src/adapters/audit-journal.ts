import { appendFileSync, existsSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_START, auditHash } from '@bowline/identity';
import type { AuditEntry, AuditMark, Event } from '@bowline/messages';
import { readFileIfPresent } from '@bowline/runtime';
import { hasCode, TransientError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { EventOutbox, type OutboxPorts } from './event-outbox.ts';

interface Fact {
  kind: string;
  data: Record<string, unknown>;
  severity: Event['severity'];
  /** Where an operator came from. */
  from: string;
  at: number;
}
type Options = Partial<Pick<Fact, 'severity' | 'from'>>;

const FILE = 'audit.ndjson';
const UNSENT = 'audit-unsent.ndjson';
const AGAIN_MS = 1000;
/** Facts that wait for room on the disk. */
const MOST_WAITING = 1000;

/**
 * Who had a session, when and why, and how it ended: a chain of entries (libs/identity: audit-chain.ts), one a line in a file of
 * ours, and each with its hash on the `events` lane. Whoever changes or takes out a line breaks the chain, and the server holds
 * the hashes. At its cap the file is set aside (one is kept) and the chain goes on.
 */
export class AuditJournal {
  readonly #file: string;
  readonly #maxBytes: () => number;
  readonly #ports: OutboxPorts;
  readonly #outbox: EventOutbox;
  readonly #waiting: Fact[] = [];
  #isRetrying = false;
  #mark: AuditMark;

  constructor(folder: string, maxBytes: () => number, ports: OutboxPorts) {
    this.#file = join(folder, FILE);
    this.#maxBytes = maxBytes;
    this.#ports = ports;
    this.#outbox = new EventOutbox(join(folder, UNSENT), maxBytes, ports);
    const { mark, damaged } = endOf(this.#file);
    this.#mark = mark ?? endOf(`${this.#file}.1`).mark ?? AUDIT_START;
    if (!damaged) return;
    renameSync(this.#file, `${this.#file}.damaged`);
    this.note('ssh.audit-damaged', { setAside: `${FILE}.damaged` }, { severity: 'critical' });
  }

  /**
   * What must be in the journal before it happens.
   *
   * @throws TransientError `audit-unwritable`
   */
  append(kind: string, data: Record<string, unknown>, options: Options = {}): void {
    this.#waiting.push(this.#fact(kind, data, options));
    try {
      this.#writeWaiting();
    } catch (error) {
      this.#waiting.pop();
      throw error;
    }
  }

  /** What has happened, or goes on whether it can be written or not: it waits until the disk has room. */
  note(kind: string, data: Record<string, unknown>, options: Options = {}): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(this.#fact(kind, data, options));
    if (!this.#isRetrying) this.#writeOrWait();
    if (this.#isRetrying)
      this.#ports.log.error({ kind, ...data }, 'an entry of the audit waits for the disk');
  }

  /** Resolves when everything was handed over, or given up because the app ends. */
  async sent(): Promise<void> {
    await this.#outbox.sent();
  }

  #fact(kind: string, data: Record<string, unknown>, { severity = 'info', from = '' }: Options): Fact {
    return { kind, data, severity, from, at: Math.round(this.#ports.clock.wallMs()) };
  }

  #writeOrWait(): void {
    try {
      this.#writeWaiting();
      this.#isRetrying = false;
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      this.#isRetrying = true;
      this.#ports.clock.after(AGAIN_MS, () => this.#writeOrWait());
    }
  }

  #writeWaiting(): void {
    for (let [fact] = this.#waiting; fact !== undefined; [fact] = this.#waiting) {
      this.#write(fact);
      this.#waiting.shift();
    }
  }

  #write({ kind, data, severity, from, at }: Fact): void {
    const target = Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)]));
    const record = { seq: this.#mark.seq + 1, at, from, action: kind, target, prev: this.#mark.hash };
    const entry: AuditEntry = { ...record, hash: auditHash(record) };
    this.#appendLine(`${JSON.stringify(entry)}\n`);
    const { seq, prev, hash } = entry;
    this.#mark = { seq, hash };
    this.#ports.log.info({ kind, ...data, seq, hash }, 'audit');
    const remote = from === '' ? {} : { remote: from };
    const payload = { kind, severity, at, data: { ...data, ...remote, chain: { seq, prev, hash } } };
    this.#outbox.put({ id: newId(), type: 'event', sentAt: at, payload });
  }

  #appendLine(line: string): void {
    const held = existsSync(this.#file) ? statSync(this.#file).size : 0;
    const isFull = held > 0 && held + line.length > this.#maxBytes();
    if (isFull) renameSync(this.#file, `${this.#file}.1`);
    try {
      appendFileSync(this.#file, line, { mode: 0o600, flag: 'as' });
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS')) throw error;
      // Part of it may be there: the next entry must not stand behind that.
      if (existsSync(this.#file)) truncateSync(this.#file, isFull ? 0 : held);
      throw new TransientError('audit-unwritable', `the audit journal cannot be written: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/**
 * Where a file ends; a line that a crash cut off is cut away first.
 *
 * @returns `damaged`: its last line is none of ours; the mark is then that of the last that is.
 */
function endOf(file: string): { mark: AuditMark | undefined; damaged: boolean } {
  const text = readFileIfPresent(file) ?? '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  const lines = whole.split('\n').filter((line) => line !== '');
  for (const [index, line] of lines.toReversed().entries()) {
    const mark = markOf(line);
    if (mark !== undefined) return { mark, damaged: index > 0 };
  }
  return { mark: undefined, damaged: lines.length > 0 };
}

function markOf(line: string): AuditMark | undefined {
  try {
    const { seq, hash } = JSON.parse(line) as Partial<AuditEntry>;
    return typeof seq === 'number' && typeof hash === 'string' ? { seq, hash } : undefined;
  } catch {
    return undefined;
  }
}
