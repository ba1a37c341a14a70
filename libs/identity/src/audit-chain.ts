import { createHash } from 'node:crypto';
import type { AuditEntry, AuditMark } from '@bowline/messages';

/** An entry that is not sealed yet. */
export type AuditRecord = Omit<AuditEntry, 'hash'>;

/** Before the first entry. */
export const AUDIT_START: AuditMark = { seq: 0, hash: '' };

/** Files of a journal on a device, an entry a line: one that was full, one whose end the disk had damaged, and the one that grows. */
export const AUDIT_FILES = {
  current: 'audit.ndjson',
  older: 'audit.ndjson.1',
  damaged: 'audit.ndjson.damaged',
} as const;

/** Undefined for a line that the disk has changed so that it is no entry. */
export function readAuditEntry(line: string): AuditEntry | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditEntry> | null;
    return typeof value?.seq === 'number' &&
      typeof value.hash === 'string' &&
      typeof value.target === 'object' &&
      value.target !== null
      ? (value as AuditEntry)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * SHA-256, hex, of the entry's JSON without its `hash`: members in the order in which they come, no white space. `prev` is
 * among them, so that each hash stands for all entries up to it.
 */
export const auditHash = (record: AuditRecord): string =>
  createHash('sha256').update(JSON.stringify(record)).digest('hex');

/**
 * Whether `entries`, ascending, are whole and unchanged from `after` on.
 *
 * @returns where they end, to go on from, or the first entry that does not fit, in words.
 */
export function followAuditChain(
  after: AuditMark,
  entries: readonly AuditEntry[],
): { mark: AuditMark; fault?: string } {
  let mark = after;
  for (const { hash, ...record } of entries) {
    const { seq, prev } = record;
    if (seq !== mark.seq + 1) return { mark, fault: `after entry ${mark.seq} comes entry ${seq}` };
    if (prev !== mark.hash) return { mark, fault: `entry ${seq} does not follow from entry ${mark.seq}` };
    if (auditHash(record) !== hash) return { mark, fault: `entry ${seq} was changed` };
    mark = { seq, hash };
  }
  return { mark };
}
