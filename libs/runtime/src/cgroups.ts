import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from './errors.ts';

/**
 * A control group (cgroup v2) of its own for what is to be ended as a whole: nothing leaves it by itself, and the kernel ends all
 * that is in it at once. No controller is needed for that.
 *
 * @param base a folder of a cgroup2 file system, such as {@link ownCgroup}.
 * @returns its folder; undefined where it may not be made, or cannot be killed as a whole (before Linux 5.14).
 */
export function makeCgroup(base: string, name: string): string | undefined {
  const folder = join(base, name);
  try {
    mkdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ERR_ACCESS_DENIED', 'EAGAIN'))
      return undefined;
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  if (existsSync(cgroupKill(folder))) return folder;
  rmdirSync(folder);
  return undefined;
}

/** Whoever writes its pid into it becomes a member, and all that it starts. */
export const cgroupProcs = (folder: string): string => join(folder, 'cgroup.procs');

/** Whoever writes 1 into it kills every process in it. */
export const cgroupKill = (folder: string): string => join(folder, 'cgroup.kill');

/** Kills every process in it, at once and without a way out. */
export function killCgroup(folder: string): void {
  ignoreAbsence(() => writeFileSync(cgroupKill(folder), '1'));
}

/** Of it and of the groups below it; none if it is gone. */
export function pidsInCgroup(folder: string): number[] {
  const pids: number[] = [];
  ignoreAbsence(() => {
    for (const line of readFileSync(cgroupProcs(folder), 'utf8').split('\n'))
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

/** Removes the empty groups of a base whose names begin so. @returns how many. */
export function removeEmptyCgroups(base: string, prefix: string): number {
  let removed = 0;
  ignoreAbsence(() => {
    for (const name of readdirSync(base))
      if (name.startsWith(prefix) && removeCgroup(join(base, name))) removed += 1;
  });
  return removed;
}

function ignoreAbsence(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENODEV', 'ENOTDIR')) throw error;
  }
}
