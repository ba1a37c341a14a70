import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, writeFileDurably } from '@bowline/runtime';

/** What makes this device the one that it is, and what it has not delivered. Everything else in the folder stays. */
const FORGOTTEN = [
  'device.pem',
  'device.next.pem',
  'enrolment.json',
  'enrolment-token',
  'trust-chain.json',
  'capabilities.json',
  'store',
] as const;
/** As long as this is there, the device is to forget: a reset that is cut short goes on at the next start. */
const MARK = 'forget';

/**
 * Paths of what {@link forgetAsMarked} would remove now: also what a write that was cut short (`device.pem.PID.new`), or the
 * rescue of a damaged file, has left beside them.
 */
export const forgettable = (stateDir: string): string[] =>
  namesIn(stateDir)
    .filter((entry) => FORGOTTEN.some((name) => entry === name || entry.startsWith(`${name}.`)))
    .toSorted()
    .map((name) => join(stateDir, name));

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Durable: from here on the device will forget, whatever happens. */
export const markToForget = (stateDir: string): void => writeFileDurably(join(stateDir, MARK), '');

/** To be called before anything of the folder is opened. @returns whether the device was to forget. */
export function forgetAsMarked(stateDir: string): boolean {
  const mark = join(stateDir, MARK);
  if (!existsSync(mark)) return false;
  for (const path of forgettable(stateDir)) rmSync(path, { recursive: true, force: true });
  rmSync(mark);
  return true;
}
