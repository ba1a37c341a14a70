import {
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { acquireLock, ConfigError, type Clock } from '@bowline/runtime';
import { digests, MANIFEST, STATE_COPY, STORE_COPY, type Manifest } from './backups.ts';
import { remember, storeFiles } from './open-store.ts';
import { mustInChild } from './scrub-child.ts';

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
 * as it still has it. Cut off at any moment it has changed nothing, or all; doing it again is no harm.
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
    const state = putState(from, manifest, stateDir);
    const replaced = join(files.folder, 'replaced.mdb');
    const hadStore = existsSync(files.current);
    rmSync(replaced, { force: true });
    if (hadStore) linkSync(files.current, replaced);
    remember(stateDir, { serverId, starts: 0 });
    files.promoteNext();
    return { manifest, ...state, ...(hadStore ? { replaced } : {}) };
  } finally {
    lock.release();
  }
}

const unusable = (from: string, why: string): ConfigError =>
  new ConfigError('backup-unusable', `${from} is no whole backup: ${why}. Choose another one.`);

async function verified(from: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(from, MANIFEST), 'utf8')) as Manifest;
  } catch (error) {
    throw unusable(from, `${MANIFEST} cannot be read (${String(error)})`);
  }
  if (manifest.format !== 1) throw unusable(from, `its format ${String(manifest.format)} is not known here`);
  const found = await digests(from);
  for (const [path, { sha256 }] of Object.entries(manifest.files)) {
    if (found[path]?.sha256 !== sha256) throw unusable(from, `${path} is missing or was changed`);
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
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      cpSync(source, target);
      result.put.push(path);
    } else if (!readFileSync(target).equals(readFileSync(source))) result.kept.push(path);
  }
  return result;
}
