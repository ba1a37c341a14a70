import { writeSync } from 'node:fs';
import { hasCode } from './errors.ts';

/** A reader that is slow, such as a process manager under load, is waited for in steps, and not for ever. */
const STEP_MS = 5;
const LONGEST_WAIT_MS = 1000;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes a line to standard output at once, so that it is out even if the process ends in the next moment. Without a reader,
 * or with one that takes nothing for a second, it is dropped: a log must hold nobody up, least of all an app that is ending
 * because its process manager has died.
 */
export function writeToStandardOutput(line: string): void {
  let left = Buffer.from(line);
  let waitedMs = 0;
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if (!hasCode(error, 'EAGAIN') || waitedMs >= LONGEST_WAIT_MS) return;
      Atomics.wait(sleeper, 0, 0, STEP_MS);
      waitedMs += STEP_MS;
    }
  }
}
