import { readFileSync, readlinkSync } from 'node:fs';
import { allPids, processStat, processVariable, wait, type Clock } from '@bowline/runtime';

/** In the environment of every process of an update module: which tree it works for. */
export const MODULE_TREE = 'BOWLINE_MODULE_TREE';

const LOOK_MS = 20;

/**
 * Ends what another life of this process has started for a tree: killed without a word it could not take it along, and it would
 * go on to install what is now rolled back. Only what still works in that tree is ended, each with its process group: a service
 * that a module has started works elsewhere.
 */
export async function endLeftovers(tree: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    const groups = groupsIn(tree);
    if (groups.size === 0) return;
    for (const group of groups) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
    await wait(clock, LOOK_MS, signal);
  }
}

function groupsIn(tree: string): Set<number> {
  const groups = new Set<number>();
  for (const pid of allPids()) {
    const of = (name: string) => `/proc/${pid}/${name}`;
    try {
      if (readlinkSync(of('cwd')) !== tree) continue;
      if (processVariable(pid, MODULE_TREE) !== tree) continue;
      const { hasEnded, group } = processStat(readFileSync(of('stat'), 'utf8'));
      if (!hasEnded) groups.add(group);
    } catch {
      // gone meanwhile, or not ours to see
    }
  }
  return groups;
}
