import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { ConfigError, hasCode } from './errors.ts';

/** `sun_path` of unix(7) holds 108 bytes, the last of them zero. */
const LONGEST_PATH_BYTES = 107;
/** Of a folder that had to be made: whoever is to come in is let in by the installation (deploy/tmpfiles.conf). */
const FOLDER_MODE = 0o750;

/**
 * Listens on a unix socket. Who may connect is for the folder to say, by its group and mode, and for the mode of the socket;
 * its group is the one that is asked for, else that of the folder if that has the set-group-id bit.
 *
 * The socket of an earlier life is removed: the app's lock says that no other process has it.
 *
 * @throws ConfigError `socket-path-too-long`, `socket-folder-unsafe`, `socket-unusable`.
 */
export async function listenLocally(
  server: Server,
  path: string,
  mode: number,
  group?: number,
): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_PATH_BYTES) {
    throw new ConfigError(
      'socket-path-too-long',
      `socket path ${path} has ${bytes} bytes, a unix socket takes ${LONGEST_PATH_BYTES}: choose a shorter one`,
    );
  }
  try {
    prepareFolder(dirname(path));
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Not for anybody before its mode is set.
      const before = process.umask(0o177);
      try {
        server.listen(path, () => resolve());
      } finally {
        process.umask(before);
      }
    });
    if (group !== undefined) chownSync(path, process.getuid?.() ?? 0, group);
    chmodSync(path, mode);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('socket-unusable', `cannot listen on ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Whoever can write to the folder could put a socket of his own there. */
function prepareFolder(folder: string): void {
  try {
    // Not recursively: that never ends where folders cannot be made at all, as in /proc.
    mkdirSync(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  const { uid, mode } = statOf(folder);
  const unsafe = (why: string) => new ConfigError('socket-folder-unsafe', `the folder ${folder} ${why}`);
  if (uid !== process.getuid?.()) throw unsafe(`belongs to user ${uid}: give it to this app's user`);
  if ((mode & 0o022) !== 0)
    throw unsafe(`may be written by others (mode ${(mode & 0o7777).toString(8)}): chmod go-w`);
}

function statOf(folder: string) {
  const stat = lstatSync(folder);
  if (!stat.isDirectory())
    throw new ConfigError('socket-folder-unsafe', `${folder} is no folder (a link is not taken)`);
  return stat;
}
