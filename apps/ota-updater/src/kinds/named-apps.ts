import { join } from 'node:path';
import { runProgram } from '../adapters/run-program.ts';
import { ECOSYSTEM } from './start-file.ts';

/** A file that takes longer to say it is left to pm2. */
const WITHIN_MS = 30_000;
/** As pm2 reads it: a program without a name has that of its file. */
const NAMES = `
const path = require('node:path');
const config = require(process.argv[1]);
const apps = [config.apps ?? config.pm2 ?? config].flat();
const names = apps.map(({ name, script = '' }) => name ?? path.basename(script, path.extname(script)));
console.log('\\n' + JSON.stringify(names));
// Whatever it has begun: a timer of its would keep us waiting.
process.exit(0);
`;

/**
 * Names under which pm2 would start the programs of a release, by its own file. That file is a program: it is run here as one
 * that may read its release and nothing else, and have no effect (Node's permission model), since its moment has not come yet.
 *
 * @param tree of the release, without links in its path.
 * @returns undefined if it does not say: it may want more than it is given here.
 */
export async function namedApps(tree: string, signal: AbortSignal): Promise<string[] | undefined> {
  const rights = ['--permission', `--allow-fs-read=${join(tree, '*')}`];
  const until = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
  const args = [...rights, '-e', NAMES, join(tree, ECOSYSTEM)];
  const { code, stdout } = await runProgram(process.execPath, args, { cwd: '/', signal: until });
  signal.throwIfAborted();
  if (code !== 0) return undefined;
  try {
    const names = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as unknown;
    return Array.isArray(names) ? names.map(String) : undefined;
  } catch {
    return undefined;
  }
}
