import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from '@bowline/testing';

/**
 * Stops a process with all its threads, at whatever instruction each is, before the power of its disk is cut. A sync that is under
 * way while the file system is shut down may be answered with success and have done nothing, which no disk does: so it is let end
 * before.
 *
 * @param stop sends it SIGSTOP; false where it has ended already.
 */
export async function standStill(pid: number | undefined, stop: () => boolean): Promise<void> {
  if (pid === undefined || !stop()) return;
  await waitFor(() => statesOfThreads(pid).every((state) => 'TZX'.includes(state)), {
    what: `process ${pid} to stand still`,
  });
}

/** Each a letter (proc_pid_stat(5)); none of one that is gone. */
function statesOfThreads(pid: number): string[] {
  const threads = `/proc/${pid}/task`;
  try {
    return readdirSync(threads).map((thread) => stateIn(`${threads}/${thread}/stat`));
  } catch {
    return [];
  }
}

function stateIn(file: string): string {
  try {
    const stat = readFileSync(file, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return 'X';
  }
}
