import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '@bowline/runtime';

/** Where a chain of lines ends: number and SHA-256, hex, of its last line. */
export interface AuditEnd {
  seq: number;
  hash: string;
}

/** Before the first line of all. */
export const START: AuditEnd = { seq: 0, hash: '0'.repeat(64) };

export const hashOf = (line: string): string => createHash('sha256').update(line).digest('hex');

const DIGITS = 12;

/** `audit.ndjson`, whose first entry is number 1201 → `audit.000000001201.ndjson`. */
export const olderName = (file: string, firstSeq: number): string =>
  file.replace(/\.ndjson$/, `.${String(firstSeq).padStart(DIGITS, '0')}.ndjson`);

/** Full files of a log, oldest first. */
export function olderFiles(file: string): string[] {
  const folder = dirname(file);
  const name = new RegExp(`^${basename(file, '.ndjson')}\\.\\d{${DIGITS}}\\.ndjson$`);
  return readdirSync(folder)
    .filter((entry) => name.test(entry))
    .toSorted()
    .map((entry) => join(folder, entry));
}

interface Found {
  end: AuditEnd;
  /** Number of its first entry, or of the one that will be. */
  firstSeq: number;
  /** As far as its lines are whole. */
  bytes: number;
  /** Of a last line that is not. */
  stumpBytes: number;
}

/**
 * Follows the chain through one file.
 *
 * @param before where the file before it ended; undefined for the oldest that is kept, which may begin at any number.
 * @throws ConfigError `audit-broken`, naming the line.
 */
export function endOf(file: string, before: AuditEnd | undefined): Found {
  const content = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const bytes = content.lastIndexOf('\n') + 1;
  const lines = content.toString('utf8', 0, bytes).split('\n').slice(0, -1);
  const first = linkOf(lines[0]);
  let end =
    before ?? (first === undefined || first.seq === 1 ? START : { seq: first.seq - 1, hash: first.previous });
  const firstSeq = end.seq + 1;
  for (const [index, line] of lines.entries()) {
    const link = linkOf(line);
    if (link?.previous !== end.hash || link.seq !== end.seq + 1)
      throw new ConfigError('audit-broken', `${file}: line ${index + 1} does not follow the one before it`);
    end = { seq: link.seq, hash: hashOf(line) };
  }
  return { end, firstSeq, bytes, stumpBytes: content.length - bytes };
}

function linkOf(line: string | undefined): { seq: number; previous: string } | undefined {
  if (line === undefined) return undefined;
  try {
    const { seq, previous } = JSON.parse(line) as Record<string, unknown>;
    return typeof seq === 'number' && Number.isSafeInteger(seq) && typeof previous === 'string'
      ? { seq, previous }
      : undefined;
  } catch {
    return undefined;
  }
}
