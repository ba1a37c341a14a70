import { readFileSync } from 'node:fs';
import { allPids, processStat, processVariable } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';

interface Found {
  pid: number;
  parent: number;
  session: string | undefined;
  auditSession: string | undefined;
}

/** Of a process that nobody has logged in for. */
const NO_AUDIT_SESSION = String(2 ** 32 - 1);

/** Whether an audit session can be that of a session of ours: not ours, and one at all. */
export const isOwnAuditSession = (id: string): boolean =>
  /^\d{1,10}$/.test(id) && id !== NO_AUDIT_SESSION && id !== read('self', 'sessionid')?.trim();

/**
 * Processes of sessions, by the mark in their environment, by the kernel's audit session, and all that descend from them or from
 * `roots`. Where there is no audit session, whoever empties its environment and leaves its parent is not found: that is what cgroups
 * are for.
 *
 * @param sessionIds of ours: another broker may run on this machine.
 */
export function sessionProcesses(
  sessionIds: readonly string[],
  {
    roots = [],
    auditSessions = new Set(),
  }: { roots?: readonly number[]; auditSessions?: ReadonlySet<string> } = {},
): number[] {
  const all = processes();
  const found = new Set(roots.filter((pid) => all.some((each) => each.pid === pid)));
  for (const { pid, session, auditSession } of all) {
    const isMarked = session !== undefined && sessionIds.includes(session);
    if (isMarked || (auditSession !== undefined && auditSessions.has(auditSession))) found.add(pid);
  }
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  found.delete(process.pid);
  return [...found];
}

function processes(): Found[] {
  return allPids().flatMap((pid) => {
    const stat = read(pid, 'stat');
    if (stat === undefined) return [];
    const { hasEnded, parent } = processStat(stat);
    if (hasEnded) return [];
    const session = seen(() => processVariable(pid, SESSION_VARIABLE));
    return [{ pid, parent, session, auditSession: read(pid, 'sessionid')?.trim() }];
  });
}

const read = (pid: number | 'self', file: string): string | undefined =>
  seen(() => readFileSync(`/proc/${pid}/${file}`, 'utf8'));

/** Others' environments are not ours to read, and processes end while we look. */
function seen<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
