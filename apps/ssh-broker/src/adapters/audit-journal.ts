import { appendFileSync, existsSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_START, auditHash } from '@bowline/identity';
import type { HubClient } from '@bowline/ipc';
import type { AuditEntry, AuditMark, Event } from '@bowline/messages';
import { retry, type Clock, type Logger } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';

export interface AuditPorts {
  client: Pick<HubClient, 'enqueue'>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn'>;
  signal: AbortSignal;
}

const FILE = 'audit.ndjson';

/**
 * Who had a session, when and why, and how it ended: a chain of entries (libs/identity: audit-chain.ts), one a line in a file of
 * ours, and each with its hash on the `events` lane. Whoever changes or takes out a line breaks the chain, and the server holds
 * the hashes. At its cap the file is set aside (one is kept) and the chain goes on.
 */
export class AuditJournal {
  readonly #file: string;
  readonly #maxBytes: () => number;
  readonly #ports: AuditPorts;
  readonly #sending = new Set<Promise<void>>();
  #mark: AuditMark;

  constructor(folder: string, maxBytes: () => number, ports: AuditPorts) {
    this.#file = join(folder, FILE);
    this.#maxBytes = maxBytes;
    this.#ports = ports;
    this.#mark = lastMark(this.#file) ?? lastMark(`${this.#file}.1`) ?? AUDIT_START;
  }

  /** Writes an entry, and hands it to the gateway as soon as that takes it. @param from where an operator came from. */
  append(
    kind: string,
    data: Record<string, unknown>,
    { severity = 'info', from = '' }: { severity?: Event['severity']; from?: string } = {},
  ): void {
    const at = Math.round(this.#ports.clock.wallMs());
    const target = Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)]));
    const record = { seq: this.#mark.seq + 1, at, from, action: kind, target, prev: this.#mark.hash };
    const entry: AuditEntry = { ...record, hash: auditHash(record) };
    const line = `${JSON.stringify(entry)}\n`;
    if (existsSync(this.#file) && statSync(this.#file).size + line.length > this.#maxBytes())
      renameSync(this.#file, `${this.#file}.1`);
    appendFileSync(this.#file, line, { mode: 0o600, flag: 'as' });
    const { seq, prev, hash } = entry;
    this.#mark = { seq, hash };
    this.#ports.log.info({ kind, ...data, seq, hash }, 'audit');
    const remote = from === '' ? {} : { remote: from };
    this.#send({ kind, severity, at, data: { ...data, ...remote, chain: { seq, prev, hash } } });
  }

  /** Resolves when everything was handed over, or given up because the app ends. */
  async sent(): Promise<void> {
    await Promise.all(this.#sending);
  }

  #send(payload: Event): void {
    const { client, clock, signal, log } = this.#ports;
    const message = { id: newId(), type: 'event' as const, sentAt: payload.at, payload };
    const sending: Promise<void> = retry(() => client.enqueue([message], { signal }), { clock, signal })
      .catch((error: unknown) => {
        if (!(error instanceof CancelledError))
          log.warn({ error, kind: payload.kind }, 'the gateway did not take an event of the audit');
      })
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }
}

/** Where a file ends; a line that a crash cut off is cut away first. */
function lastMark(file: string): AuditMark | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  const last = whole.trimEnd().split('\n').at(-1) ?? '';
  if (last === '') return undefined;
  const { seq, hash } = JSON.parse(last) as AuditEntry;
  return { seq, hash };
}
