import type { AuditEntry, AuditMark } from '@bowline/messages';

/** A file of the journal: its whole lines, undefined for one that is no entry. */
export interface JournalFile {
  name: string;
  lines: readonly (AuditEntry | undefined)[];
}

/** Whether entries follow a place in the chain (libs/identity: audit-chain.ts). */
type Follow = (after: AuditMark, entries: readonly AuditEntry[]) => { fault?: string };

export interface JournalReading {
  /** Oldest first, those that are not what they were included. */
  entries: AuditEntry[];
  /** What the oldest that is kept follows. */
  anchor: AuditMark;
  head: AuditMark;
  /** Each break of the chain, in words, in order; none: it is whole and unchanged. */
  faults: string[];
}

/** Follows the chain through all files, and goes on behind each break, so that all of them are told. */
export function readJournal(files: readonly JournalFile[], follow: Follow): JournalReading {
  const read = files.toSorted((a, b) => firstSeq(a.lines) - firstSeq(b.lines));
  const entries: AuditEntry[] = [];
  const faults: string[] = [];
  let anchor: AuditMark | undefined;
  let head: AuditMark = START;
  for (const { name, lines } of read)
    for (const [index, entry] of lines.entries()) {
      const line = `${name}, line ${index + 1}`;
      if (entry === undefined) {
        if (index === 0 || lines[index - 1] !== undefined) faults.push(`${line} cannot be read`);
        continue;
      }
      if (anchor === undefined) head = anchor = before(entry);
      const { fault } = follow(head, [entry]);
      if (fault !== undefined) faults.push(`${line}: ${fault}`);
      head = { seq: entry.seq, hash: entry.hash };
      entries.push(entry);
    }
  return { entries, anchor: anchor ?? START, head, faults };
}

const firstSeq = (lines: readonly (AuditEntry | undefined)[]): number =>
  lines.find((entry) => entry !== undefined)?.seq ?? Infinity;

const START: AuditMark = { seq: 0, hash: '' };

/** The oldest that is kept follows what it says; the very first follows nothing. */
const before = ({ seq, prev }: AuditEntry): AuditMark => (seq <= 1 ? START : { seq: seq - 1, hash: prev });
