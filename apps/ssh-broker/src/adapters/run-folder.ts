import { execFile } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { childEnvironment } from '@bowline/runtime';
import { ConfigError } from '@bowline/runtime/errors';

const SESSION = /^session-(.+)$/;
/** Others may pass through, for sshd reads a session's keys as that session's user; they may not list or write. */
const MODE = 0o711;
const OPEN_TO_OTHERS = 0o066;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
const STAT_DEADLINE_MS = 5000;

export interface RunFolder {
  folder: string;
  /** Whether sshd's own check of the folders above (StrictModes) will pass; where they are sticky it would not. */
  strictModes: boolean;
  /** Ids of the sessions of which something was left. */
  leftovers: string[];
}

/**
 * Makes the folder of sessions, or empties it of what an earlier life of this process left behind: the keys and configuration
 * of a session never outlive the process that opened it. Only `session-*` is ours to remove; links are removed, not followed.
 *
 * @throws ConfigError `run-folder`, `run-folder-unsafe`: a folder that is not ours alone is not touched.
 */
export async function wipeLeftovers(folder: string): Promise<RunFolder> {
  const unsafe = (why: string) => new ConfigError('run-folder-unsafe', `${folder} ${why}`);
  if (/["%\s]/.test(folder)) throw unsafe('must have no quotes, per cent signs and blanks in its name');
  try {
    mkdirSync(folder, { recursive: true, mode: MODE });
  } catch (cause) {
    throw new ConfigError('run-folder', `cannot make ${folder}: check that the folder above it is writable`, {
      cause,
    });
  }
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) throw unsafe('is not a folder');
  if (stat.uid !== process.getuid?.()) throw unsafe(`belongs to user ${stat.uid}, not to us`);
  if ((stat.mode & OPEN_TO_OTHERS) !== 0) throw unsafe('is open to others: chmod 711');
  const strictModes = await strictAbove(folder, unsafe);
  const leftovers = readdirSync(folder).filter((name) => SESSION.test(name));
  for (const name of leftovers) rmSync(join(folder, name), { recursive: true, force: true });
  return { folder, strictModes, leftovers: leftovers.map((name) => name.replace(SESSION, '$1')) };
}

/** Nobody else may put another folder in the place of ours: what sshd asks too, but it takes no sticky folder for safe. */
async function strictAbove(folder: string, unsafe: (why: string) => ConfigError): Promise<boolean> {
  const above: string[] = [];
  for (let at = folder; at !== dirname(at); above.push(at)) at = dirname(at);
  // By a program, since the permission model knows no right to look at a folder without all that is in it.
  const options = { env: childEnvironment(), timeout: STAT_DEADLINE_MS } as const;
  const { stdout } = await promisify(execFile)('stat', ['-c', '%f %u', '--', ...above], options);
  let strict = true;
  for (const [index, line] of stdout.trim().split('\n').entries()) {
    const [mode = 0, uid = 0] = line
      .split(' ')
      .map((value, at) => Number.parseInt(value, at === 0 ? 16 : 10));
    if (uid !== 0 && uid !== process.getuid?.())
      throw unsafe(`lies in ${above[index]}, which is of user ${uid}`);
    if ((mode & WRITABLE_BY_OTHERS) === 0) continue;
    if ((mode & STICKY) === 0) throw unsafe(`lies in ${above[index]}, which others may write`);
    strict = false;
  }
  return strict;
}
