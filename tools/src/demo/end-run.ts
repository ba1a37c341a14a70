import { rmSync } from 'node:fs';
import { callerEnvironment, Pm2 } from '@bowline/pm2';
import { makePrivateFolder, placesOfRun, type DemoLayout } from './layout.ts';
import { endMarkedProcesses, markedProcesses } from './marked-processes.ts';
import { readRunFile, removeRunFile } from './run-file.ts';

/** The daemon of the run in `runDir`, with nothing of ours in its environment beyond what every call needs. */
export const pm2In = (runDir: string, own: Record<string, string> = {}): Pm2 =>
  new Pm2({ home: placesOfRun(runDir).pm2Home, env: callerEnvironment(process.env, own) });

/** Where a run may be going on: where the last one said that it is, and where one would be started now. */
export function runDirs(layout: DemoLayout): string[] {
  const recorded = readRunFile(layout.runFile)?.runDir;
  const isOurs = recorded !== undefined && /^\/.*\/bowline-[0-9a-f-]+$/.test(recorded);
  return [...new Set([...(isOurs ? [recorded] : []), layout.runDir])];
}

export interface EndRunOptions {
  /** How long pm2's daemon may take to end the apps and itself. */
  daemonMs?: number;
  /** How long whatever is left then may take before it is killed. */
  appsMs?: number;
}

/**
 * Ends whatever a run left or runs: apps and daemon through pm2 in their order, then by their pids what pm2 no longer
 * knows, since its daemon was killed or the start was cut off. The state in `.bowline` stays.
 *
 * @returns how many processes were ended.
 */
export async function endRun(
  layout: DemoLayout,
  { daemonMs = 15_000, appsMs = 10_000 }: EndRunOptions = {},
): Promise<number> {
  let ended = 0;
  for (const runDir of runDirs(layout)) {
    ended += markedProcesses(runDir).length;
    const pm2 = pm2In(runDir);
    // A daemon that no longer answers is ended by its pid.
    if (await pm2.isRunning()) await pm2.kill(daemonMs).catch(() => undefined);
    await endMarkedProcesses(runDir, appsMs);
    removeRunDir(runDir);
  }
  removeRunFile(layout.runFile);
  return ended;
}

/** A folder that is not ours alone is left as it is; the next start will say so. */
function removeRunDir(runDir: string): void {
  try {
    makePrivateFolder(runDir);
  } catch {
    return;
  }
  rmSync(runDir, { recursive: true, force: true });
}
