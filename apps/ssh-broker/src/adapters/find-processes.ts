import { readFileSync } from 'node:fs';
import { allPids, processStat } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';

interface Found {
  pid: number;
  parent: number;
  session: string | undefined;
}

/**
 * Processes of sessions, by the mark in their environment, and all that descend from them or from `roots`. Whoever empties its
 * environment and leaves its parent is not found: that is what cgroups are for.
 *
 * @param sessionIds of ours: another broker may run on this machine.
 */
export function sessionProcesses(sessionIds: readonly string[], roots: readonly number[] = []): number[] {
  const all = processes();
  const found = new Set(roots.filter((pid) => all.some((each) => each.pid === pid)));
  for (const { pid, session } of all)
    if (session !== undefined && sessionIds.includes(session)) found.add(pid);
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
    return hasEnded ? [] : [{ pid, parent, session: sessionOf(read(pid, 'environ') ?? '') }];
  });
}

function sessionOf(environment: string): string | undefined {
  const mark = `${SESSION_VARIABLE}=`;
  return environment
    .split('\0')
    .find((entry) => entry.startsWith(mark))
    ?.slice(mark.length);
}

/** Others' environments are not ours to read, and processes end while we look. */
function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
