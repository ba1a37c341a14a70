import type { AuditEntry } from '@bowline/messages';

/** A call as people think of it: its beginning and its outcome in one. */
export type AuditedCall = Omit<AuditEntry, 'prev' | 'hash' | 'of'>;

/** @param entries newest first. A call without outcome was cut off: nobody knows. @returns newest first. */
export function callsOf(entries: readonly AuditEntry[]): AuditedCall[] {
  const ended = new Set(entries.map(({ of }) => of));
  return entries
    .filter(({ seq }) => !ended.has(seq))
    .map(({ prev: _prev, hash: _hash, of: _of, ...call }) => call);
}
