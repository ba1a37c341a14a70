import { followAuditChain } from '@bowline/identity/audit-chain';
import type { AuditEntry, AuditMark } from '@bowline/messages';
import { brokerJournal } from '../adapters/broker-journal.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { readJournal } from '../core/audit-journal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import { notFound, sameMark, wholeInWords } from '../core/noted-mark.ts';
import type { Context } from './context.ts';

const MOST_TOLD = 5;

/**
 * `bowline ssh-audit`: the last entries of this device's own audit of ssh sessions, newest first, and whether all of it is whole.
 *
 * @param noted a mark that was noted before: it must still be there.
 * @throws CliError `audit-broken`, `journal-unreadable`
 */
export function sshAudit(context: Context, lines: number, noted: AuditMark | undefined): void {
  const { entries, anchor, head, faults } = readJournal(brokerJournal(context), followAuditChain);
  const isThere =
    noted === undefined || sameMark(noted, anchor) || entries.some((entry) => sameMark(noted, entry));
  const broken = isThere ? faults : [...faults, notFound(noted, anchor)];
  const shown = entries.toReversed().slice(0, lines);
  if (context.json && broken.length === 0) return printJson({ anchor, head, entries: shown });
  if (!context.json && shown.length > 0)
    print(table(['seq', 'when', 'what', 'who', 'user', 'about'], shown.map(rowOf)));
  if (broken.length > 0)
    throw new CliError('audit-broken', `The audit of ssh sessions is not whole: ${told(broken)}.`, {
      exitCode: EXIT.auditBroken,
      advice:
        'Compare with the events ssh.… that the server has of this device: each has seq, prev and hash of its entry.',
    });
  if (entries.length === 0) return print('Nothing yet.');
  return print(wholeInWords(anchor, head, '--noted'));
}

const told = (faults: readonly string[]): string =>
  [
    ...faults.slice(0, MOST_TOLD),
    ...(faults.length > MOST_TOLD ? [`and ${faults.length - MOST_TOLD} more`] : []),
  ].join('; ');

/** `by` the grant's signer wrote; `operator` is who came, as the relay knows him. */
function rowOf({ seq, at, from, action, target }: AuditEntry): string[] {
  const { by, operator, user, ...more } = target;
  const about = Object.entries(from === '' ? more : { from, ...more });
  return [
    String(seq),
    dayAndTime(at),
    action,
    operator ?? by ?? '-',
    user ?? '-',
    about.map(([name, value]) => `${name}=${value}`).join(' '),
  ];
}
