import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@bowline/runtime/errors';

const SESSION = /^session-/;
const OPEN_TO_OTHERS = 0o077;

/**
 * Makes the folder of sessions (0700), or empties it of what an earlier life of this process left behind: the keys and
 * configuration of a session never outlive the process that opened it. Only `session-*` is ours to remove; links are
 * removed, not followed.
 *
 * @returns the names of the sessions whose leftovers were removed.
 * @throws ConfigError `run-folder`, `run-folder-unsafe`: a folder that is not ours alone is not touched.
 */
export function wipeLeftovers(folder: string): string[] {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new ConfigError('run-folder', `cannot make ${folder}: check that the folder above it is writable`, {
      cause,
    });
  }
  const stat = lstatSync(folder);
  const unsafe = (why: string) => new ConfigError('run-folder-unsafe', `${folder} ${why}`);
  if (!stat.isDirectory()) throw unsafe('is not a folder');
  if (stat.uid !== process.getuid?.()) throw unsafe(`belongs to user ${stat.uid}, not to us`);
  if ((stat.mode & OPEN_TO_OTHERS) !== 0) throw unsafe('is open to others: chmod 700');
  const leftovers = readdirSync(folder).filter((name) => SESSION.test(name));
  for (const name of leftovers) rmSync(join(folder, name), { recursive: true, force: true });
  return leftovers;
}
