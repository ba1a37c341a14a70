import { followAuditChain } from '@bowline/identity/audit-chain';
import type { AuditEntry, AuditMark } from '@bowline/messages';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { callsOf, type AuditedCall } from '../core/audited-calls.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import { notFound, sameMark, wholeInWords } from '../core/noted-mark.ts';
import type { Context } from './context.ts';

const PAGE = 1000;

/** `bowline fleet audit`: what operators did, newest first. */
export async function fleetAudit({ json }: Context, api: OperatorsApi, lines: number): Promise<void> {
  // Two entries a call at most, and one more so that the oldest call shown is whole.
  const { entries, anchor, head } = await api.audit({ limit: Math.min(PAGE, lines * 2 + 1) });
  if (json) return printJson({ entries, anchor, head });
  const calls = callsOf(entries).slice(0, lines);
  if (calls.length === 0) return print('Nothing yet.');
  print(table(['seq', 'when', 'who', 'from', 'what', 'on', 'outcome'], calls.map(rowOf)));
}

/**
 * `bowline fleet audit --verify`: follows the whole chain.
 *
 * @param noted a head that was noted before: it must still be in the chain.
 * @throws CliError `audit-broken`
 */
export async function verifyAudit(
  { json, signal }: Context,
  api: OperatorsApi,
  noted: AuditMark | undefined,
): Promise<void> {
  const { anchor, head } = await api.audit({ limit: 1 });
  let mark = anchor;
  let found = noted === undefined || sameMark(noted, anchor);
  while (mark.seq < head.seq && !signal.aborted) {
    const { entries, anchor: nowAfter } = await api.audit({ after: mark.seq, limit: PAGE });
    // The oldest were forgotten while we read.
    if (nowAfter.seq > mark.seq) mark = nowAfter;
    const followed = followAuditChain(mark, entries);
    if (followed.fault !== undefined) throw broken(followed.fault);
    if (entries.length === 0) throw broken(`entry ${mark.seq + 1} is missing`);
    found ||= noted !== undefined && entries.some((entry) => sameMark(noted, entry));
    ({ mark } = followed);
  }
  if (noted !== undefined && !found) throw broken(notFound(noted, anchor));
  if (json) return printJson({ anchor, head: mark });
  print(wholeInWords(anchor, mark, '--verify --noted'));
}

function broken(fault: string): CliError {
  return new CliError('audit-broken', `The audit log is not whole: ${fault}.`, {
    exitCode: EXIT.auditBroken,
    advice: "Compare with the server's own log, which has seq and hash of each entry.",
  });
}

function rowOf({ seq, at, actor, from, action, target, outcome }: AuditedCall): string[] {
  const fine = outcome !== undefined && outcome.status < 400;
  const words = outcome === undefined ? 'not known' : `${outcome.status} ${outcome.code ?? ''}`.trim();
  return [
    String(seq),
    dayAndTime(at),
    actor === undefined ? '-' : `${actor.operator} (${actor.role})`,
    from,
    action,
    aboutOf(target),
    fine ? words : paint('red', words),
  ];
}

const aboutOf = (target: AuditEntry['target']): string =>
  Object.entries(target)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
