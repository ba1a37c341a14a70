import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RejectedError } from '@bowline/runtime';
import { twinsOf, type Twins } from '../twin-names.ts';
import type { ReleaseManifest } from '../manifest-schema.ts';

/** Whether a folder's file system takes two names for one: it is tried out. */
export type TakesForOne = (folder: string, names: Twins) => boolean;

/**
 * Before anything is fetched: whether all names of a release stay apart where it will be laid out. Some file systems fold case
 * (vfat, ext4 where it was asked for) or the forms of Unicode.
 *
 * @throws RejectedError `names-fold`
 */
export function mustStayApart(
  manifest: ReleaseManifest,
  folder: string,
  takesForOne: TakesForOne = isOne,
): void {
  const one = twinsOf(manifest).find(([a, b]) => takesForOne(folder, [basename(a), basename(b)]));
  if (one !== undefined) throw namesFold(...one);
}

export const namesFold = (a: string, b: string, cause?: unknown): RejectedError =>
  new RejectedError(
    'names-fold',
    `${a} and ${b} are the same on this file system: build the release with other names, or put releasesDir on one that tells them apart`,
    { cause },
  );

export function isOne(folder: string, [a, b]: Twins): boolean {
  const probe = mkdtempSync(join(folder, '.twins-'));
  try {
    writeFileSync(join(probe, a), '');
    return existsSync(join(probe, b));
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
