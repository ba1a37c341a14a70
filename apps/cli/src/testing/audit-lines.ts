import { AUDIT_START, auditHash } from '@bowline/identity';

type What = [action: string, target?: Record<string, string>];

/** A chain of entries as the ssh-broker writes them, a line each. */
export function auditLines(entries: readonly What[], after = AUDIT_START): string[] {
  let mark = after;
  return entries.map(([action, target = {}]) => {
    const record = { seq: mark.seq + 1, at: 1_750_000_000_000, from: '', action, target, prev: mark.hash };
    mark = { seq: record.seq, hash: auditHash(record) };
    return JSON.stringify({ ...record, hash: mark.hash });
  });
}

/** Where a chain stands after a line. */
export const markOf = (line = '{}') => JSON.parse(line) as { seq: number; hash: string };
