import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { childEnvironment } from '@bowline/runtime';
import { InternalError } from '@bowline/runtime/errors';

export interface ScrubOutcome {
  /** What the child wrote to its standard output, parsed; absent if it died. */
  answer?: unknown;
  /** How it ended, if not well. */
  death: string;
}

/**
 * Runs what may abort (LMDB believes what it reads) in a process of its own. A child that dies of what it reads is an answer
 * too.
 *
 * @param script a program that answers with one JSON value on standard output.
 * @throws InternalError `store-check-failed`: it cannot be started.
 */
export async function runScrub(script: string, args: readonly string[]): Promise<ScrubOutcome> {
  if (!existsSync(script)) {
    throw new InternalError('store-check-failed', `the store's check is missing: ${script}`);
  }
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(),
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new InternalError('store-check-failed', 'the check of the store cannot be started', { cause })),
    );
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `${signal ?? `exit code ${code}`}`));
  });
  const [death, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (death === '') return { answer: JSON.parse(output), death };
  return { death: `${death}; ${complaint.trim().slice(-500)}` };
}
