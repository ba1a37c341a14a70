import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  acquireLock,
  ConfigError,
  readFileIfPresent,
  syncFolder,
  writeFileDurably,
  type Clock,
} from '@bowline/runtime';
import { digests } from './backups.ts';
import { readManifest, STATE_COPY, STORE_COPY, type Manifest } from './manifest.ts';
import { remember, storeFiles } from './open-store.ts';
import { mustInChild } from './scrub-child.ts';

/** Nothing in the state folder is for others, whatever a backup says. */
const OWNERS_RIGHTS = 0o700;

export interface Restored {
  manifest: Manifest;
  /** Files of the state folder that were missing there. */
  put: string[];
  /** Those that were there and differ: they stay. */
  kept: string[];
  /** The store that was there before, if there was one. */
  replaced?: string;
}

/**
 * Puts the state of a backup in the place of a server's, under a new `serverEpoch` (protocol, section 3): every device then
 * says what it holds, gets the orders of the backup that have not ended once more, and sends what the backup lacks, as far
 * as it still has it. Cut off at any moment it has changed nothing, or all, or no server starts there until it was done again
 * ({@link mustBeWhole}); doing it again is no harm.
 *
 * @throws ConfigError `already-running` (a server runs on that folder), `backup-unusable`.
 */
export async function restore(from: string, stateDir: string, clock: Clock): Promise<Restored> {
  const manifest = await verified(from);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(stateDir, 'lock'));
  try {
    const files = storeFiles(stateDir);
    files.prepare();
    copyFileSync(join(from, STORE_COPY), files.next, constants.COPYFILE_FICLONE);
    const { serverId } = manifest;
    const message = `restored from the backup ${manifest.name}: devices, keys, revocations, tokens and orders are as they were then`;
    const inspection = await mustInChild('finish', {
      file: files.next,
      restored: {
        incident: { at: clock.wallMs(), kind: 'restored', message },
        remembered: { serverId, starts: 0 },
      },
    });
    if (inspection.verdict !== 'sound')
      throw unusable(from, `its store is ${inspection.verdict}: ${inspection.detail}`);
    const replaced = join(files.folder, 'replaced.mdb');
    // After one that was cut off it is there, and what is in its place by now may be the backup's.
    if (!existsSync(unfinishedFile(stateDir))) {
      rmSync(replaced, { force: true });
      if (existsSync(files.current)) linkSync(files.current, replaced);
    }
    const hadStore = existsSync(replaced);
    // From here on the folder is between two states: a server that started on it would make keys of its own.
    writeFileDurably(unfinishedFile(stateDir), `${manifest.name}\n`);
    const state = putState(from, manifest, stateDir);
    remember(stateDir, { serverId, starts: 0 });
    files.promoteNext();
    rmSync(unfinishedFile(stateDir));
    syncFolder(stateDir);
    return { manifest, ...state, ...(hadStore ? { replaced } : {}) };
  } finally {
    lock.release();
  }
}

const unfinishedFile = (stateDir: string): string => join(stateDir, 'restore-unfinished');

/** @throws ConfigError `restore-unfinished`: a restore on this folder was cut off in its middle. */
export function mustBeWhole(stateDir: string): void {
  const name = readFileIfPresent(unfinishedFile(stateDir))?.trim();
  if (name === undefined) return;
  throw new ConfigError(
    'restore-unfinished',
    `restoring the backup ${name} into ${stateDir} was cut off: restore it once more, then start the server`,
  );
}

const unusable = (from: string, why: string): ConfigError =>
  new ConfigError('backup-unusable', `${from} is no whole backup: ${why}. Choose another one.`);

async function verified(from: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = readManifest(from);
  } catch (error) {
    throw unusable(from, error instanceof Error ? error.message : String(error));
  }
  const found = await digests(from);
  for (const [path, { sha256 }] of Object.entries(manifest.files)) {
    if (!Object.hasOwn(found, path) || found[path]?.sha256 !== sha256)
      throw unusable(from, `${path} is missing or was changed`);
  }
  return manifest;
}

/** What is in the state folder stays: a token or key that was changed since is the one that holds. */
function putState(from: string, { files }: Manifest, stateDir: string): Pick<Restored, 'put' | 'kept'> {
  const result = { put: [] as string[], kept: [] as string[] };
  // Only what was verified: each of them was found in the folder, and is what it was.
  for (const entry of Object.keys(files).filter((path) => path.startsWith(`${STATE_COPY}/`))) {
    const path = entry.slice(STATE_COPY.length + 1);
    const [source, target] = [join(from, entry), join(stateDir, path)];
    if (!existsSync(target)) {
      const { mode } = lstatSync(source);
      writeFileDurably(target, readFileSync(source), mode & OWNERS_RIGHTS);
      result.put.push(path);
    } else if (!readFileSync(target).equals(readFileSync(source))) result.kept.push(path);
  }
  return result;
}
