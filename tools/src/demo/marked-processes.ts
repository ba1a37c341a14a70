import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '@bowline/pm2';

/** Variable that every process of one demo carries: what `npm start` starts, pm2's daemon, its apps. */
const MARK = 'BOWLINE_INSTANCE';

export const markOf = (runDir: string): Record<string, string> => ({ [MARK]: runDir });

const POLL_MS = 50;

/**
 * The processes that carry a run folder's mark in the environment with which they were started. This finds the apps that a
 * killed daemon left behind, and nobody else's: a pid file may name a pid that is another's by now.
 */
export function markedProcesses(runDir: string): number[] {
  const entry = `${MARK}=${runDir}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && environmentOf(pid).includes(entry));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // ended meanwhile, or another user's
  }
}

/**
 * Ends every process that carries the mark: SIGTERM, after `graceMs` SIGKILL. Repeats until none is left, since a process
 * may have started another in between.
 */
export async function endMarkedProcesses(runDir: string, graceMs: number): Promise<void> {
  const seen = new Set<number>();
  const deadline = performance.now() + graceMs;
  for (;;) {
    const pids = markedProcesses(runDir).filter(isAlive);
    if (pids.length === 0) return;
    const tooLate = performance.now() > deadline;
    for (const pid of pids) {
      if (tooLate || !seen.has(pid)) signal(pid, tooLate ? 'SIGKILL' : 'SIGTERM');
      seen.add(pid);
    }
    await sleep(POLL_MS);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ended meanwhile
  }
}
