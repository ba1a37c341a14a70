import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runScrub, type FileInspection, type StoreFiles } from '@bowline/record-store';
import { InternalError } from '@bowline/runtime/errors';
import type { ClockReading } from './age-clock.ts';
import { storeNewer } from './migrations.ts';
import type { QueueOptions, Recovery } from './queue.ts';
import type { Readings, RebuildAnswer } from './scrub.ts';

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
 * @throws ConfigError `store-newer`. InternalError `store-check-failed`: the check could not be run, or the disk did not take the new file.
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
    const { answer } = await runScrub(script, [task, files.current, files.next, JSON.stringify(readings)]);
    return answer as RebuildAnswer | undefined;
  };
  const mended = inspection.verdict === 'damaged' ? await rebuild('mend') : undefined;
  const rebuilt = mended ?? (await rebuild('salvage'));
  if (rebuilt === undefined) {
    throw new InternalError('store-check-failed', `a damaged store could not be saved: ${inspection.detail}`);
  }
  if ('newer' in rebuilt) {
    files.removeNext();
    throw storeNewer(rebuilt.newer);
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
async function inspectInChild(script: string, file: string): Promise<FileInspection> {
  const { answer, death } = await runScrub(script, ['inspect', file]);
  return (
    (answer as FileInspection | undefined) ?? {
      verdict: 'unreadable',
      detail: `reading it ends a process: ${death}`,
    }
  );
}
