import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { TransientError } from '@bowline/runtime';

export interface Need {
  folder: string;
  bytes: number;
  inodes: number;
}

/**
 * Whether there is room before the first byte is fetched; needs on one file system are added up.
 *
 * @param reserveBytes what must be left for everybody else.
 * @throws TransientError `no-space`, saying how much is missing and where.
 */
export function checkRoom(needs: readonly Need[], reserveBytes: number): void {
  const byDevice = new Map<number, Need>();
  for (const need of needs) {
    const folder = nearest(need.folder);
    const { dev } = statSync(folder);
    const before = byDevice.get(dev);
    byDevice.set(dev, {
      folder,
      bytes: (before?.bytes ?? 0) + need.bytes,
      inodes: (before?.inodes ?? 0) + need.inodes,
    });
  }
  for (const { folder, bytes, inodes } of byDevice.values()) {
    const { bavail, bsize, files, ffree } = statfsSync(folder);
    const lackBytes = bytes + reserveBytes - bavail * bsize;
    if (lackBytes > 0)
      throw new TransientError(
        'no-space',
        `${folder} lacks ${lackBytes} bytes: ${bytes} are needed, and ${reserveBytes} are to be left`,
      );
    // Some file systems do not count inodes.
    if (files > 0 && ffree < inodes)
      throw new TransientError('no-space', `${folder} lacks inodes: ${inodes} are needed, ${ffree} are left`);
  }
}

/** The folder, or the next one above that is there. */
export function nearest(folder: string): string {
  let each = folder;
  while (!existsSync(each) && dirname(each) !== each) each = dirname(each);
  return each;
}
