import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownCgroup } from '@bowline/runtime';

const PREFIX = 'bowline-run-';

/**
 * A control group (cgroup v2) for each run, where this process may make one: nothing leaves it by itself, and the kernel ends
 * all that is in it at once. No controller is needed for that.
 */
export class ControlGroups {
  /** Folder of the groups; undefined where there are none. */
  readonly #base: string | undefined;

  /** @param base a folder of a cgroup2 file system; default: the group that this process is in. */
  constructor(base = ownGroup()) {
    this.#base = base;
  }

  /** @returns its folder; undefined if it cannot be made. */
  make(mark: string): string | undefined {
    if (this.#base === undefined) return undefined;
    const folder = join(this.#base, PREFIX + mark);
    try {
      mkdirSync(folder);
    } catch {
      return undefined;
    }
    if (existsSync(join(folder, 'cgroup.kill'))) return folder;
    removeGroup(folder);
    return undefined;
  }
}

export const groupFile = (folder: string): string => join(folder, 'cgroup.procs');

export function groupMembers(folder: string | undefined): Set<number> {
  if (folder === undefined) return new Set();
  try {
    return new Set(readFileSync(groupFile(folder), 'utf8').split('\n').filter(Boolean).map(Number));
  } catch {
    return new Set(); // it is gone
  }
}

/** Ends all that is in it, by SIGKILL. */
export function killGroup(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    writeFileSync(join(folder, 'cgroup.kill'), '1');
  } catch {
    // It is gone, and all that was in it.
  }
}

export function removeGroup(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    rmdirSync(folder);
  } catch {
    // Something still ends in it, or it is gone: an empty group costs next to nothing.
  }
}

function ownGroup(): string | undefined {
  try {
    return ownCgroup();
  } catch {
    return undefined;
  }
}
