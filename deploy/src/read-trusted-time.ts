import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { hasCode } from '@bowline/runtime';

const MAX_BYTES = 256;
/** The last moment of a Date (ECMA-262, 21.4.1.1). */
const LAST_MS = 8.64e15;

/**
 * The time that the gateway recorded (its src/trusted-time.ts), epoch milliseconds; undefined if there is none. Root reads here
 * what a captured gateway may have put there: no link is followed, no pipe is waited for, nothing large is read, and what does
 * not hold a time counts as none.
 */
export function readTrustedTime(file: string): number | undefined {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile() || stat.size > MAX_BYTES) return undefined;
    const { at } = JSON.parse(readFileSync(handle, 'utf8')) as { at?: unknown };
    return typeof at === 'number' && Number.isSafeInteger(at) && at > 0 && at <= LAST_MS ? at : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  } finally {
    closeSync(handle);
  }
}
