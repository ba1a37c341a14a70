import { lstatSync, mkdirSync } from 'node:fs';
import { ConfigError } from '@bowline/runtime/errors';

const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes sure that nobody but us decides what is installed here: the folder of the update journal and of trusted metadata
 * is made 0700, or must be a real folder that only we may write.
 *
 * @throws ConfigError `state-folder`, `state-folder-unsafe`
 */
export function checkStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new ConfigError(
      'state-folder',
      `cannot make ${folder}: check that the folder above it is writable`,
      { cause },
    );
  }
  const stat = lstatSync(folder);
  const unsafe = (why: string) => new ConfigError('state-folder-unsafe', `${folder} ${why}`);
  if (!stat.isDirectory()) throw unsafe('is not a folder');
  if (stat.uid !== process.getuid?.()) throw unsafe(`belongs to user ${stat.uid}, not to us`);
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) throw unsafe('may be written by others: chmod go-w');
}
