import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@bowline/runtime';
import { blobPath } from '../layout.ts';
import type { ReleaseFile, ReleaseLink } from '../manifest-schema.ts';
import { twinsAmong } from '../twin-names.ts';
import { makePublicFolder } from './repository-files.ts';

export interface Tree {
  files: ReleaseFile[];
  folders: string[];
  links: ReleaseLink[];
}

const ANYONE_MAY_RUN = 0o111;

/**
 * Everything below a folder as a release has it, sorted; the contents of its files go to their places in the repository.
 *
 * @throws ConfigError `not-releasable`: a socket, a device or another thing that is no file, folder or link; two names that
 * some devices could not tell apart.
 */
export async function readTree(top: string, repository: string): Promise<Tree> {
  const tree: Tree = { files: [], folders: [], links: [] };
  await readFolder(top, [], repository, tree);
  return tree;
}

async function readFolder(
  top: string,
  names: readonly string[],
  repository: string,
  tree: Tree,
): Promise<void> {
  const entries = readdirSync(join(top, ...names), { withFileTypes: true });
  const twins = twinsAmong(entries.map(({ name }) => name));
  if (twins !== undefined)
    throw new ConfigError(
      'not-releasable',
      `${join(top, ...names)}: ${twins.join(' and ')} differ only in case or in how Unicode writes them, so some file systems take them for one: rename one of them`,
    );
  if (entries.length === 0 && names.length > 0) tree.folders.push(names.join('/'));
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = [...names, entry.name];
    if (entry.isDirectory()) await readFolder(top, path, repository, tree);
    else if (entry.isSymbolicLink())
      tree.links.push({ path: path.join('/'), target: readlinkSync(join(top, ...path)) });
    else if (entry.isFile())
      tree.files.push({ path: path.join('/'), ...(await keep(join(top, ...path), repository)) });
    else throw new ConfigError('not-releasable', `${join(top, ...path)} is no file, folder or link`);
  }
}

/** Copies a file to where its hash says; hash and copy are of the same read. */
async function keep(file: string, repository: string): Promise<Omit<ReleaseFile, 'path'>> {
  const beside = join(repository, `.incoming-${process.pid}`);
  mkdirSync(repository, { recursive: true });
  const hash = createHash('sha256');
  let size = 0;
  const target = await open(beside, 'w', 0o644);
  let mode: number;
  const source = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    ({ mode } = await source.stat());
    for await (const chunk of createReadStream('', {
      fd: source,
      autoClose: false,
    }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      await target.writeFile(chunk);
    }
    await target.sync();
  } finally {
    await source.close();
    await target.close();
  }
  const sha256 = hash.digest('hex');
  const place = blobPath(sha256);
  makePublicFolder(repository, place.split('/').slice(0, -1));
  if (existsSync(join(repository, place))) rmSync(beside);
  else {
    chmodSync(beside, 0o644);
    renameSync(beside, join(repository, place));
  }
  return { size, sha256, ...((mode & ANYONE_MAY_RUN) !== 0 && { executable: true }) };
}
