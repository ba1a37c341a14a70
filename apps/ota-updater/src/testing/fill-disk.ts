import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '@bowline/runtime/errors';

const BALLAST = 'ballast';

/** Leaves not one byte free on the disk of this folder. */
export function fillDisk(folder: string): void {
  const handle = openSync(join(folder, BALLAST), 'a');
  for (const size of [65_536, 4096, 1]) {
    const piece = Buffer.alloc(size, 1);
    try {
      while (writeSync(handle, piece) === size);
    } catch (error) {
      if (!hasCode(error, 'ENOSPC')) throw error;
    }
  }
  closeSync(handle);
}

export function emptyDisk(folder: string): void {
  rmSync(join(folder, BALLAST), { force: true });
}
