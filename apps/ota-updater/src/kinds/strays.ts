import { readFileSync } from 'node:fs';
import { allPids, processStat, processVariable } from '@bowline/runtime';
import { isWithin } from './release-trees.ts';

/** In the environment of every process of a release that pm2 runs: its tree. */
export const RELEASE_TREE = 'BOWLINE_RELEASE';

/**
 * Ends what still runs of a program's releases and is not meant to: pm2 may lose a process that it restarts just as it removes it,
 * and a program may have left some of its own behind.
 *
 * @param folder of the program's releases, without links in it.
 * @param current tree of the release that may run.
 * @param known pids of what pm2 runs: they and what they have started are its own.
 */
export function endStrays(folder: string, current: string | undefined, known: ReadonlySet<number>): void {
  const processes = new Map(allPids().flatMap((pid) => seen(pid) ?? []));
  const isKnown = (pid: number): boolean => {
    for (let each = pid; ;) {
      if (known.has(each)) return true;
      const parent = processes.get(each)?.parent;
      if (parent === undefined || parent === each) return false;
      each = parent;
    }
  };
  for (const [pid, { tree }] of processes) {
    if (tree === undefined || tree === current || !isWithin(tree, folder) || isKnown(pid)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

function seen(pid: number): [number, { parent: number; tree: string | undefined }][] | undefined {
  try {
    const { hasEnded, parent } = processStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (hasEnded) return undefined;
    return [[pid, { parent, tree: processVariable(pid, RELEASE_TREE) }]];
  } catch {
    return undefined; // gone meanwhile, or not ours to see
  }
}
