import { createHash } from 'node:crypto';
import type { AuditEntry, AuditMark } from '@bowline/messages';

/** An entry that is not sealed yet. */
export type AuditRecord = Omit<AuditEntry, 'hash'>;

/** Before the first entry. */
export const AUDIT_START: AuditMark = { seq: 0, hash: '' };

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
