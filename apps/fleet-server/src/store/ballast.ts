import { existsSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileSynchronously } from '@bowline/runtime';

const MIB = 2 ** 20;
/** Enough for what is written while no device is let in: presence, sign-ins, the next start. */
const BALLAST_BYTES = 2 * MIB;

/**
 * Keeps room on the disk for what must be written even when others have filled it: a file that is given up then, and laid in
 * again once there is plenty.
 *
 * @param spareBytes what shall be free beside it.
 * @returns what is free beside it.
 */
export function tendBallast(file: string, spareBytes: number): number {
  const free = freeBytesAt(file);
  const absent = 2 * BALLAST_BYTES;
  if (free < BALLAST_BYTES) rmSync(file, { force: true });
  else if (!existsSync(file) && free >= spareBytes + absent) lay(file);
  return freeBytesAt(file) - (existsSync(file) ? 0 : absent);
}

function lay(file: string): void {
  try {
    // Written, not sparse: the room must be taken.
    writeFileSynchronously(file, Buffer.alloc(BALLAST_BYTES, 0xb0));
  } catch {
    rmSync(file, { force: true });
  }
}

function freeBytesAt(file: string): number {
  const { bavail, bsize } = statfsSync(dirname(file));
  return bavail * bsize;
}
