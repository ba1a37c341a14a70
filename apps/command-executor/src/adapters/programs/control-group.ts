import { createHash } from 'node:crypto';
import { makeCgroup, ownCgroup, removeEmptyCgroups } from '@bowline/runtime';

/** A control group for each run, where this process may make one. */
export class ControlGroups {
  /** Folder of the groups; undefined where there are none. */
  readonly #base: string | undefined;
  readonly #prefix: string;

  /**
   * @param stateDir names the groups: its lock says that only one executor has it, so those of its name are ours, and others
   *   may run on the same machine.
   * @param base a folder of a cgroup2 file system; default: the group that this process is in.
   */
  constructor(stateDir: string, base = ownGroup()) {
    this.#base = base;
    this.#prefix = groupPrefix(stateDir);
  }

  /** @returns its folder; undefined if it cannot be made. */
  make(mark: string): string | undefined {
    return this.#base === undefined ? undefined : makeCgroup(this.#base, this.#prefix + mark);
  }

  /**
   * Removes the empty ones that an earlier life has left: it was killed before their runs were on record, or after the runs
   * had ended. @returns how many.
   */
  sweep(): number {
    return this.#base === undefined ? 0 : removeEmptyCgroups(this.#base, this.#prefix);
  }
}

/** Of the names of the groups of the executor that has this state folder. */
export const groupPrefix = (stateDir: string): string =>
  `bowline-run-${createHash('sha256').update(stateDir).digest('hex').slice(0, 12)}-`;

function ownGroup(): string | undefined {
  try {
    return ownCgroup();
  } catch {
    return undefined;
  }
}
