import { setTimeout as sleep } from 'node:timers/promises';
import { killCgroup, pidsInCgroup, removeCgroup } from '@bowline/runtime';
import { processesOfRun, type RunFacts } from '../../core/processes-of-run.ts';
import { readProcesses } from './read-processes.ts';

/** Which processes belong to a run; written down before it begins. */
export interface RunMark extends Pick<RunFacts, 'pid' | 'startTicks'> {
  mark: string;
  /** Folder of its control group, if it has one. */
  group?: string | undefined;
}

const LOOK_EVERY_MS = 20;
/** What is still there after so many SIGKILLs waits in the kernel (a dead disk), where no signal reaches it. */
const MOST_KILLS = 100;

/** All processes of one run, wherever they have gone. */
export class ProcessTree {
  readonly #run: RunMark;
  /** When its first process was seen to have ended. */
  endedTicks: number | undefined;

  constructor(run: RunMark) {
    this.#run = run;
  }

  pids(): number[] {
    const { mark, group } = this.#run;
    const all = readProcesses(mark, new Set(group === undefined ? [] : pidsInCgroup(group)));
    return processesOfRun({ ...this.#run, endedTicks: this.endedTicks }, all);
  }

  signal(signal: NodeJS.Signals): number {
    const pids = this.pids();
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // it has just ended
      }
    }
    return pids.length;
  }

  /**
   * SIGTERM to all of it, SIGKILL to what is left after `graceMs`, until nothing is.
   *
   * @returns how many there were, and how many cannot be ended.
   */
  async end(graceMs: number): Promise<{ found: number; left: number }> {
    const { group } = this.#run;
    const found = graceMs > 0 ? this.signal('SIGTERM') : this.pids().length;
    const until = performance.now() + graceMs;
    let left = found;
    while (left > 0 && performance.now() < until) {
      await sleep(LOOK_EVERY_MS);
      left = this.pids().length;
    }
    for (let kills = 0; left > 0 && kills < MOST_KILLS; kills += 1) {
      if (group !== undefined) killCgroup(group);
      this.signal('SIGKILL');
      await sleep(LOOK_EVERY_MS);
      left = this.pids().length;
    }
    if (group !== undefined) removeCgroup(group);
    return { found, left };
  }
}
