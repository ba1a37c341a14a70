import { existsSync, linkSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder, writeFileSynchronously } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { runProgram } from '../adapters/run-program.ts';

const CHECK_MS = 10_000;

/**
 * Puts the launcher of the code that runs, and has proved itself, in the place of the one in use, in one step; the one before
 * stays beside it as `.previous`. Only one that its shell can read to the end, and that finds what it needs, is taken.
 *
 * @returns whether it was another one.
 * @throws RejectedError `launcher-broken`: the one in use stays.
 */
export async function adoptLauncher(offered: string, inUse: string): Promise<boolean> {
  if (!existsSync(offered) || !existsSync(inUse)) return false;
  const content = readFileSync(offered);
  if (content.equals(readFileSync(inUse))) return false;
  const beside = `${inUse}.new`;
  rmSync(beside, { force: true });
  writeFileSynchronously(beside, content, 0o755);
  for (const args of [
    ['-n', beside],
    [beside, '--check'],
  ]) {
    const signal = AbortSignal.timeout(CHECK_MS);
    const { code, said, why } = await runProgram('/bin/sh', args, { cwd: '/', signal });
    if (code === 0) continue;
    rmSync(beside, { force: true });
    throw new RejectedError(
      'launcher-broken',
      `the launcher of this release would not run: ${why ?? said.trim()}`,
    );
  }
  // A link first, so that there is no moment without a launcher.
  const previous = `${inUse}.previous`;
  rmSync(`${previous}.new`, { force: true });
  linkSync(inUse, `${previous}.new`);
  renameSync(`${previous}.new`, previous);
  renameSync(beside, inUse);
  syncFolder(dirname(inUse));
  return true;
}
