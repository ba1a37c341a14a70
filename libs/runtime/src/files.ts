import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasCode } from './errors.ts';

const { O_WRONLY, O_CREAT, O_TRUNC, O_SYNC } = constants;

/**
 * Replaces a file so that after a crash or power cut either the old or the new content is there, whole: write beside it,
 * synchronously, rename, fsync of the folder. What a write that failed, or was killed, has left beside it does not stay.
 */
export function writeFileDurably(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
  owner?: { uid: number; gid: number },
): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeLeftovers(file);
  const beside = `${file}.${process.pid}.new`;
  try {
    writeFileSynchronously(beside, content, mode);
    if (owner !== undefined) {
      // Before it has its name: whoever reads it by that may do so. The mode again, whatever the umask left of it.
      chownSync(beside, owner.uid, owner.gid);
      chmodSync(beside, mode);
    }
    renameSync(beside, file);
  } catch (error) {
    // On a disk that is full, what there was room for takes that room.
    removeIfPossible(beside);
    throw error;
  }
  syncFolder(folder);
}

/** What processes that were killed amid their write have left beside a file. That of one that lives is its own. */
function removeLeftovers(file: string): void {
  const [folder, name] = [dirname(file), basename(file)];
  for (const entry of listIfPossible(folder)) {
    const pid = entry.startsWith(`${name}.`) && /^\.(\d+)\.new$/.exec(entry.slice(name.length))?.[1];
    if (pid && !isAlive(Number(pid))) removeIfPossible(join(folder, entry));
  }
}

function listIfPossible(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it may be written, but not listed
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

function removeIfPossible(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // it was never made, or whoever wants to know has the first error
  }
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
