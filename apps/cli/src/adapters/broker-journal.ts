import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_FILES, readAuditEntry } from '@bowline/identity/audit-chain';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { JournalFile } from '../core/audit-journal.ts';

const DEVICE_STATE_DIR = '/var/lib/bowline/ssh-broker';

/** The ssh-broker's audit journal, as its files are now. @throws CliError `journal-unreadable` */
export function brokerJournal({ installation }: Pick<Context, 'installation'>): JournalFile[] {
  const folder = installation().brokerStateDir ?? DEVICE_STATE_DIR;
  try {
    for (;;) {
      const current = currentIn(folder);
      const files = filesIn(folder);
      // Full meanwhile: what was the current one lies in the place of the older one, which we may have read before that.
      if (currentIn(folder) === current) return files;
    }
  } catch (error) {
    throw new CliError('journal-unreadable', `The audit of ssh sessions in ${folder} cannot be read.`, {
      exitCode: EXIT.deviceAway,
      advice:
        'Run this as the user of the ssh-broker (root on a device), and see whether it runs: bowline status',
      cause: error,
    });
  }
}

const currentIn = (folder: string): number | undefined =>
  statSync(join(folder, AUDIT_FILES.current), { throwIfNoEntry: false })?.ino;

function filesIn(folder: string): JournalFile[] {
  const there = new Set(readdirSync(folder));
  return Object.values(AUDIT_FILES)
    .filter((name) => there.has(name))
    .map((name) => ({ name, lines: wholeLines(readFileSync(join(folder, name), 'utf8')) }));
}

/** Without a last one that is being written, or that a crash cut off: it was never promised to anybody. */
const wholeLines = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => readAuditEntry(line));
