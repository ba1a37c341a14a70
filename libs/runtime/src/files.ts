import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasCode } from './errors.ts';

const { O_WRONLY, O_CREAT, O_TRUNC, O_SYNC } = constants;

/**
 * Replaces a file so that after a crash or power cut either the old or the new content is there, whole: write beside it,
 * synchronously, rename, fsync of the folder.
 */
export function writeFileDurably(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
  owner?: { uid: number; gid: number },
): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const beside = `${file}.${process.pid}.new`;
  writeFileSynchronously(beside, content, mode);
  if (owner !== undefined) {
    // Before it has its name: whoever reads it by that may do so. The mode again, whatever the umask left of it.
    chownSync(beside, owner.uid, owner.gid);
    chmodSync(beside, mode);
  }
  renameSync(beside, file);
  syncFolder(folder);
}

/**
 * Writes a file whose bytes are on the disk when this returns. By O_SYNC (open(2)), since Node refuses `fsync` to a process
 * with a permission model (docs/adr/0013).
 */
export function writeFileSynchronously(file: string, content: string | Uint8Array, mode = 0o600): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const handle = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC, mode);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
  } finally {
    closeSync(handle);
  }
}

/**
 * Makes durable which names a folder holds: what was made, renamed and removed in it before this call. There is no flag of
 * `open` for that, and no `fsync` under the permission model; SQLite does it as part of a transaction, for its journal is
 * no good without its name (docs/adr/0013).
 */
export function syncFolder(folder: string): void {
  const file = join(folder, `.sync-${process.pid}`);
  closeSync(openSync(file, 'w', 0o600));
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA user_version = 1');
  } finally {
    database.close();
    rmSync(file, { force: true });
  }
}

export function readFileIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The value of a JSON file; undefined if the file is absent or holds no JSON, for whoever goes on without it. */
export function readJsonIfPresent(file: string): unknown {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
