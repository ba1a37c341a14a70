import { readFileSync } from 'node:fs';
import { allPids, processStat } from '@bowline/runtime';
import { MARK } from '../../core/launch-line.ts';
import type { ProcessFacts } from '../../core/processes-of-run.ts';

/** Of a clock tick, which all Linux systems of today show to programs as 1/100 s (proc(5), `starttime`). */
const TICK_MS = 10;

/** Every process that runs, as far as /proc may be read. Those that have ended and wait for their parent are left out. */
export function readProcesses(mark: string, grouped: ReadonlySet<number>): ProcessFacts[] {
  return allPids().flatMap((pid) => {
    const stat = readStat(pid);
    return stat === undefined
      ? []
      : [{ pid, ...stat, marked: isMarked(pid, mark), grouped: grouped.has(pid) }];
  });
}

/** Ticks since boot, in which the start of processes is told. */
export const nowTicks = (): number =>
  Math.ceil((Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000) / TICK_MS);

export function readStat(pid: number): Pick<ProcessFacts, 'parent' | 'session' | 'startTicks'> | undefined {
  try {
    const { hasEnded, parent, session, startTicks } = processStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return hasEnded ? undefined : { parent, session, startTicks };
  } catch {
    return undefined; // it has just ended
  }
}

function isMarked(pid: number, mark: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${MARK}=${mark}\0`);
  } catch {
    return false; // it has just ended, or is none of ours to look into
  }
}
