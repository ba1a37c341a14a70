import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, syncFolder, TransientError } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { foldersOf } from '../manifest.ts';
import type { ReleaseFile, ReleaseManifest } from '../manifest-schema.ts';
import { namesFold } from './apart.ts';
import { hasContent, noSpaceTold, pieces } from './content-store.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_SYNC, O_WRONLY } = constants;
/** Each write waits for the disk (docs/adr/0013), so it should be worth it. */
const PIECE_BYTES = 1024 * 1024;
const FOLDER_MODE = 0o755;

const modeOf = ({ executable }: ReleaseFile) => (executable === true ? 0o755 : 0o644);

/**
 * Lays a release out in an empty folder: nothing but what the manifest lists. Each file is hashed from the same descriptor from
 * which it is copied, and what was written is what was hashed. All of it is on the disk when this resolves.
 *
 * @param sourceOf where a content lies.
 * @param bad told of a content that is not there, or is another.
 * @throws TransientError `content-missing`, `no-space`; ConfigError `folder-not-empty`; RejectedError `names-fold`
 */
export async function layOut(
  manifest: ReleaseManifest,
  folder: string,
  sourceOf: (file: ReleaseFile) => string,
  bad: (file: ReleaseFile) => void,
  until: AbortSignal,
): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new ConfigError('folder-not-empty', `${folder} must be empty for a release to be laid out in it`);
  const folders = foldersOf(manifest).map((path) => join(folder, path));
  for (const each of folders) {
    mkdirSync(each, { recursive: true }); // where names fold together it is there
    chmodSync(each, FOLDER_MODE); // whatever the umask is
  }
  for (const file of manifest.files) {
    until.throwIfAborted();
    const target = join(folder, file.path);
    const copied = noSpaceTold(() => copy(sourceOf(file), target, file));
    if (!(await copied.catch((error: unknown) => mustBeApart(file.path, error)))) {
      bad(file);
      throw new TransientError(
        'content-missing',
        `what was fetched of ${file.path} is damaged: it must be fetched again`,
      );
    }
    chmodSync(target, modeOf(file));
  }
  for (const { path, target } of manifest.links ?? [])
    try {
      symlinkSync(target, join(folder, path));
    } catch (error) {
      mustBeApart(path, error);
    }
  for (const each of [...folders.toReversed(), folder]) syncFolder(each);
}

/** What was looked at before (apart.ts) was one pair of names of a folder. */
function mustBeApart(path: string, error: unknown): never {
  if (!hasCode(error, 'EEXIST')) throw error;
  throw namesFold(path, 'another name of the release', error);
}

/** @returns false if the source is absent or has another content. */
async function copy(source: string, target: string, { sha256, size }: ReleaseFile): Promise<boolean> {
  let from: FileHandle;
  try {
    from = await open(source, O_RDONLY | O_NOFOLLOW);
  } catch {
    return false;
  }
  try {
    const stat = await from.stat();
    if (!stat.isFile() || stat.size !== size) return false;
    const to = await open(target, O_WRONLY | O_CREAT | O_EXCL | O_SYNC, 0o600);
    try {
      const hash = createHash('sha256');
      let written = 0;
      for await (const piece of pieces(from, Math.min(PIECE_BYTES, Math.max(1, size)))) {
        hash.update(piece);
        for (let at = 0; at < piece.length;)
          at += (await to.write(piece, at, piece.length - at, written + at)).bytesWritten;
        written += piece.length;
      }
      return hash.digest('hex') === sha256;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/**
 * What differs between a folder and a release: a file that is absent, has another content or mode, a link elsewhere, and
 * anything that the manifest does not list. Empty: it is exactly that release.
 */
export async function differences(
  manifest: ReleaseManifest,
  folder: string,
  until: AbortSignal,
): Promise<string[]> {
  const found: string[] = [];
  const expected = new Set(foldersOf(manifest));
  for (const path of expected)
    if (!lstatSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory()) found.push(path);
  for (const file of manifest.files) {
    until.throwIfAborted();
    expected.add(file.path);
    const at = join(folder, file.path);
    const stat = lstatSync(at, { throwIfNoEntry: false });
    const good = stat?.isFile() === true && (stat.mode & 0o7777) === modeOf(file);
    if (!good || !(await hasContent(at, file.sha256, file.size))) found.push(file.path);
  }
  for (const { path, target } of manifest.links ?? []) {
    expected.add(path);
    const at = join(folder, path);
    const isLink = lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (!isLink || readlinkSync(at) !== target) found.push(path);
  }
  const walk = (names: readonly string[]) => {
    for (const entry of readdirSync(join(folder, ...names), { withFileTypes: true })) {
      const path = [...names, entry.name];
      if (!expected.has(path.join('/'))) found.push(path.join('/'));
      if (entry.isDirectory()) walk(path); // never through a link, as `recursive` would
    }
  };
  walk([]);
  return found;
}

/** Whether a folder is exactly that release, and all of it on the disk, whoever laid it out. */
export async function isLaidOut(
  manifest: ReleaseManifest,
  folder: string,
  until: AbortSignal,
): Promise<boolean> {
  if (!existsSync(folder) || (await differences(manifest, folder, until)).length > 0) return false;
  // Its files were written through to the disk; their names may not be there yet.
  for (const each of [...foldersOf(manifest).toReversed(), '']) syncFolder(join(folder, each));
  return true;
}
