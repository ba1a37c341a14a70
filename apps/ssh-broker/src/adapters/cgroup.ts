import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '@bowline/runtime/errors';

const PREFIX = 'bowline-ssh-';

/** @returns undefined where it may not be made, or cannot be killed as a whole (before Linux 5.14). */
export function makeCgroup(base: string, name: string): string | undefined {
  const folder = cgroupOf(base, name);
  try {
    mkdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ERR_ACCESS_DENIED')) return undefined;
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  if (existsSync(join(folder, 'cgroup.kill'))) return folder;
  rmdirSync(folder);
  return undefined;
}

/** The cgroup of a session that an earlier life of this process may have made. */
export const cgroupOf = (base: string, name: string): string => join(base, `${PREFIX}${name}`);

/** Kills every process in it, at once and without a way out. */
export function killCgroup(folder: string): void {
  ignoreAbsence(() => writeFileSync(join(folder, 'cgroup.kill'), '1'));
}

export function pidsInCgroup(folder: string): number[] {
  const pids: number[] = [];
  ignoreAbsence(() => {
    for (const line of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n'))
      // 0 stands for a process of another pid namespace; to signal 0 would be to signal ourselves.
      if (Number(line) > 1) pids.push(Number(line));
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) pids.push(...pidsInCgroup(join(folder, entry.name)));
  });
  return pids;
}

/** Once no process is in it. @returns whether it is gone. */
export function removeCgroup(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'EBUSY')) return false;
    throw error;
  }
}

function ignoreAbsence(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENODEV')) throw error;
  }
}
