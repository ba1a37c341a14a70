import { readFileSync } from 'node:fs';
import { processStat } from '@bowline/runtime';

/**
 * Whether a process with that pid runs. One that has ended and waits for its parent to notice (a zombie) does not, though
 * it can still be signalled. Linux only.
 */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return !processStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).hasEnded;
  } catch {
    return false;
  }
}
