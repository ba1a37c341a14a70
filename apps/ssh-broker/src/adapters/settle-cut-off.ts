import type { Logger } from '@bowline/runtime';
import type { Clock } from '@bowline/runtime/clock';
import type { AuditJournal } from './audit-journal.ts';
import type { SessionGroups } from './session-group.ts';
import { endLeftovers } from './session-processes.ts';
import { cutOff, type SessionRecords } from './session-records.ts';

/**
 * Sessions that an earlier life of this process left open: their processes are killed, and each counts as ended now, whether its
 * grant would still be good or not. Nobody gets a shell that he did not ask for anew.
 */
export async function settleCutOff({
  records,
  groups,
  clock,
  audit,
  bootId,
  leftovers,
  log,
}: {
  records: SessionRecords;
  /** Each where one may have run. */
  groups: readonly SessionGroups[];
  clock: Clock;
  audit: AuditJournal;
  bootId: string;
  /** Sessions of which a folder was left, on record or not. */
  leftovers: readonly string[];
  log: Pick<Logger, 'error'>;
}): Promise<void> {
  const open = records.all().filter(({ outcome }) => outcome === undefined);
  const ids = [...new Set([...open.map(({ grant }) => grant.sessionId), ...leftovers])];
  if (ids.length === 0) return;
  const { killed, survivors } = await endLeftovers(ids, groups, clock);
  const severity = survivors === 0 ? 'warning' : 'critical';
  // Of these nothing is known but their folder: whose they were stands in the audit, if anywhere.
  for (const sessionId of leftovers)
    if (!open.some(({ grant }) => grant.sessionId === sessionId) && !audit.has('ssh.ended', sessionId))
      audit.note('ssh.ended', { sessionId, end: 'cut-off', killed, survivors }, { severity });
  for (const record of open) {
    const rebooted = record.bootId !== bootId;
    const why = rebooted ? 'the device was restarted' : 'the ssh-broker was restarted';
    const { sessionId, user, by } = record.grant;
    const data = { sessionId, user, by, end: 'cut-off', rebooted, killed, survivors };
    // Its end may be written already, and only that on its own record not: there was a crash or no room between them.
    if (!audit.has('ssh.ended', sessionId)) audit.note('ssh.ended', data, { severity });
    const outcome = cutOff(sessionId, `${why}: ask for a new grant`, survivors);
    const error = records.ended(record.orderId, outcome);
    if (error !== undefined) log.error({ sessionId, error }, 'the end of a session could not be recorded');
  }
}
