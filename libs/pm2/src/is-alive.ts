import { readFileSync } from 'node:fs';

/**
 * Whether a process with that pid runs. One that has ended and waits for its parent to notice (a zombie) does not, though
 * it can still be signalled. Linux only.
 */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    // proc_pid_stat(5): the name is in brackets and may hold any character; the state follows the last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.charAt(stat.lastIndexOf(')') + 2);
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
