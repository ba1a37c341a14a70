import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { RejectedError } from '@bowline/runtime/errors';
import { runProgram } from '../adapters/run-program.ts';

const NEXT = 'stream-next';
/** Opening a pipe blocks until somebody reads it: programs do that, which can be ended. */
const TELL = 'printf %s "$1" > "$2"';
const COPY = 'exec cat -- "$1" > "$2"';
const MAKE_MS = 60_000;

/** How far a module read: nothing, all, or some and not all. */
export type StreamsRead = 'none' | 'all' | 'some';

/**
 * Offers the payload (`files/`) through named pipes, as Mender's client does in the state Download: a read of `stream-next` gives
 * the path of a pipe with the next file, or nothing after the last one. A module that does not read it finds its files in
 * `files/` all the same. The first pipe is there when this returns.
 *
 * @returns serves until the module has ended, which the signal says, and removes the pipes.
 * @throws RejectedError `module-failed` if a pipe cannot be made.
 */
export async function offerStreams(tree: string): Promise<(until: AbortSignal) => Promise<StreamsRead>> {
  const files = readdirSync(join(tree, 'files'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(tree, 'files'), join(entry.parentPath, entry.name)))
    .toSorted();
  await makePipe(tree, NEXT);
  return async (until) => {
    const sh = async (script: string, ...args: string[]) => {
      const end = await runProgram('sh', ['-c', script, 'sh', ...args], { cwd: tree, signal: until });
      return end.code === 0;
    };
    let told = 0;
    let read = 0;
    for (const file of files) {
      const stream = join('streams', file);
      await makePipe(tree, stream);
      if (!(await sh(TELL, stream, NEXT))) break;
      told += 1;
      // A fresh one, before the file is there to be read: nobody who still holds the last one can read the next line.
      await makePipe(tree, NEXT);
      if (!(await sh(COPY, join('files', file), stream))) break;
      read += 1;
      rmSync(join(tree, stream), { force: true });
    }
    if (read === files.length && !until.aborted) await sh(TELL, '', NEXT);
    for (const path of [NEXT, 'streams']) rmSync(join(tree, path), { recursive: true, force: true });
    if (told === 0) return 'none';
    return read === files.length ? 'all' : 'some';
  };
}

async function makePipe(tree: string, path: string): Promise<void> {
  rmSync(join(tree, path), { force: true });
  mkdirSync(dirname(join(tree, path)), { recursive: true, mode: 0o755 });
  const signal = AbortSignal.timeout(MAKE_MS);
  const { code, said, why } = await runProgram('mkfifo', ['-m', '600', path], { cwd: tree, signal });
  if (code !== 0) throw new RejectedError('module-failed', `mkfifo ${path}: ${why ?? said.trim()}`);
}
