import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel tells of a process, proc_pid_stat(5); as far as anybody here asks. */
export interface ProcessStat {
  /** `Z`, `X`: it has ended, and its parent has not asked yet. */
  hasEnded: boolean;
  parent: number;
  /** Process group. */
  group: number;
  session: number;
  /** When it started, in the kernel's ticks since boot: pids are given again. */
  startTicks: number;
}

/** @param stat content of /proc/PID/stat. The name is in brackets and may hold any character; the others follow the last one. */
export function processStat(stat: string): ProcessStat {
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, group, session] = rest.map(Number);
  return {
    hasEnded: state === 'Z' || state === 'X',
    parent: parent ?? Number.NaN,
    group: group ?? Number.NaN,
    session: session ?? Number.NaN,
    startTicks: Number(rest[18]),
  };
}

/** Pids of all processes that may be seen. */
export const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/**
 * A variable of a process's environment, as it was when its program began; undefined if it has none of that name.
 *
 * @throws an error of node:fs if the process is gone, or not ours to see.
 */
export function processVariable(pid: number, name: string): string | undefined {
  const mark = `${name}=`;
  return readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .find((entry) => entry.startsWith(mark))
    ?.slice(mark.length);
}
