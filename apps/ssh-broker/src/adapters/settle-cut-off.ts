import type { Clock } from '@bowline/runtime/clock';
import type { AuditJournal } from './audit-journal.ts';
import { cutOff } from './broker.ts';
import type { SessionGroups } from './session-group.ts';
import { endLeftovers } from './session-processes.ts';
import type { SessionRecords } from './session-records.ts';

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
}: {
  records: SessionRecords;
  /** Each where one may have run. */
  groups: readonly SessionGroups[];
  clock: Clock;
  audit: AuditJournal;
  bootId: string;
}): Promise<void> {
  const open = records.all().filter(({ outcome }) => outcome === undefined);
  if (open.length === 0) return;
  const ids = open.map(({ grant }) => grant.sessionId);
  const { killed, survivors } = await endLeftovers(ids, groups, clock);
  for (const record of open) {
    const rebooted = record.bootId !== bootId;
    const why = rebooted ? 'the device was restarted' : 'the ssh-broker was restarted';
    const { sessionId, user, by } = record.grant;
    const data = { sessionId, user, by, end: 'cut-off', rebooted, killed, survivors };
    audit.append('ssh.ended', data, { severity: survivors === 0 ? 'warning' : 'critical' });
    records.put({ ...record, outcome: cutOff(sessionId, `${why}: ask for a new grant`, survivors) });
  }
}
