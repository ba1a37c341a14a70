import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { InternalError } from '@bowline/runtime/errors';
import type { ClockReading } from './age-clock.ts';
import type { Inspection } from './inspect.ts';
import type { QueueOptions, Recovery } from './queue.ts';
import type { Readings, RebuildAnswer } from './scrub.ts';
import type { StoreFiles } from './store-files.ts';

/** Beside this file when Node runs the source; beside the main file of a bundle. */
const DEFAULT_SCRIPT = join(
  import.meta.dirname,
  import.meta.filename.endsWith('.ts') ? 'scrub-child.ts' : 'scrub.js',
);

/**
 * Checks a store before it is opened, in a child process, and replaces a damaged one by what can be saved of it. The damaged
 * file is kept beside it until the next one or until the disk runs full.
 *
 * A crash at any moment of this leaves the damaged file in place: the next start does it again.
 *
 * @returns what had to be done, undefined as a rule.
 * @throws InternalError `store-check-failed`: the check could not be run, or the disk did not take the new file.
 */
export async function makeSound(
  files: StoreFiles,
  options: QueueOptions,
  now: ClockReading,
): Promise<Recovery | undefined> {
  if (!existsSync(files.current)) return undefined;
  const script = options.scrubScript ?? DEFAULT_SCRIPT;
  const inspection = await inspectInChild(script, files.current);
  if (inspection.verdict === 'sound') return undefined;

  const readings: Readings = { now, wallMs: options.wallMs() };
  const rebuild = async (task: 'mend' | 'salvage'): Promise<RebuildAnswer | undefined> => {
    files.removeNext();
    const { answer } = await runChild(script, [task, files.current, files.next, JSON.stringify(readings)]);
    return answer as RebuildAnswer | undefined;
  };
  const mended = inspection.verdict === 'damaged' ? await rebuild('mend') : undefined;
  const rebuilt = mended ?? (await rebuild('salvage'));
  if (rebuilt === undefined) {
    throw new InternalError('store-check-failed', `a damaged store could not be saved: ${inspection.detail}`);
  }
  files.quarantineCurrent();
  files.promoteNext();
  return {
    kind: mended === undefined ? 'salvaged' : 'mended',
    detail: inspection.detail,
    lost: rebuilt.lost,
    quarantine: files.quarantine,
  };
}

/** A child that dies of what it reads is an answer too. */
async function inspectInChild(script: string, file: string): Promise<Inspection> {
  const { answer, death } = await runChild(script, ['inspect', file]);
  return (
    (answer as Inspection | undefined) ?? {
      verdict: 'unreadable',
      detail: `reading it ends a process: ${death}`,
    }
  );
}

async function runChild(script: string, args: string[]): Promise<{ answer?: unknown; death: string }> {
  if (!existsSync(script)) {
    throw new InternalError('store-check-failed', `the store's check is missing: ${script}`);
  }
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
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
