import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { ConfigError } from '@bowline/runtime';

export interface AuditEntry {
  operator: string | undefined;
  type: string;
  claims: unknown;
  /** `signed`, or the code of the refusal. */
  outcome: string;
  signer?: string;
}

const START = '0'.repeat(64);
const hashOf = (line: string): string => createHash('sha256').update(line).digest('hex');

/**
 * What was signed and what was refused, one JSON object a line; each names the SHA-256 of the line before it, so that nothing
 * can be taken out of the middle unseen. On disk before anybody gets a signature.
 */
export class AuditFile {
  readonly #handle: number;
  #seq: number;
  #previous: string;

  /** @throws ConfigError `audit-broken`: a line was changed or is missing; look at it before signing anything more. */
  constructor(file: string) {
    this.#handle = openSync(file, 'a+', 0o600);
    const text = readFileSync(file, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    // A line that a crash cut off was never answered.
    if (whole.length < text.length) ftruncateSync(this.#handle, Buffer.byteLength(whole));
    const lines = whole.split('\n').slice(0, -1);
    this.#seq = lines.length;
    this.#previous = START;
    for (const [index, line] of lines.entries()) {
      if (previousOf(line) !== this.#previous)
        throw new ConfigError('audit-broken', `${file}: line ${index + 1} does not follow the one before it`);
      this.#previous = hashOf(line);
    }
  }

  /** @returns the number of the entry, once it is on disk. */
  append(entry: AuditEntry, at: number): number {
    const seq = this.#seq + 1;
    const line = JSON.stringify({ seq, at, ...entry, previous: this.#previous });
    writeSync(this.#handle, `${line}\n`);
    fdatasyncSync(this.#handle);
    this.#seq = seq;
    this.#previous = hashOf(line);
    return seq;
  }

  close(): void {
    closeSync(this.#handle);
  }
}

function previousOf(line: string): unknown {
  try {
    return (JSON.parse(line) as { previous?: unknown }).previous;
  } catch {
    return undefined;
  }
}
