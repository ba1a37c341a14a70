import { check } from '@bowline/messages/check';
import { parseFrame } from '@bowline/messages/frame';
import { ContractError } from '@bowline/runtime/errors';
import { valid } from 'semver';
import { manifest as isManifest } from './generated/manifest.js';
import {
  MAX_ENTRIES,
  MAX_MANIFEST_BYTES,
  MAX_RELEASE_BYTES,
  type ReleaseManifest,
} from './manifest-schema.ts';
import { linkTarget, pathNames } from './tree-path.ts';

/**
 * A manifest, read from the bytes that were signed.
 *
 * @throws ContractError `too-large`, `broken-json`, `invalid`, `unsafe-path`, `bad-manifest`
 */
export function decodeManifest(text: string): ReleaseManifest {
  return checkManifest(parseFrame(text, MAX_MANIFEST_BYTES));
}

/**
 * What the schema cannot say: that the lists make one tree. A path twice, a file under a file, a link that leads out, too
 * many entries or bytes: whoever signed it, it is not laid out.
 *
 * @throws ContractError `invalid`, `unsafe-path`, `bad-manifest`
 */
export function checkManifest(value: unknown): ReleaseManifest {
  const manifest = check<ReleaseManifest>(isManifest, value, 'manifest');
  const { files, folders = [], links = [], version, minSecureVersion } = manifest;
  const bad = (why: string) => new ContractError('bad-manifest', why);
  for (const each of [version, minSecureVersion])
    if (each !== undefined && valid(each) === null) throw bad(`${each} is not a semantic version`);
  if (files.length + folders.length + links.length > MAX_ENTRIES)
    throw bad(`it has more than ${MAX_ENTRIES} entries`);
  if (totalBytes(manifest) > MAX_RELEASE_BYTES) throw bad(`it has more than ${MAX_RELEASE_BYTES} bytes`);

  /** Path → whether it is a folder. */
  const tree = new Map<string, boolean>();
  const add = (path: string, folder: boolean) => {
    const names = pathNames(path);
    for (let depth = 1; depth < names.length; depth += 1) {
      const parent = names.slice(0, depth).join('/');
      if (tree.get(parent) === false) throw bad(`${path} lies in ${parent}, which is no folder`);
      tree.set(parent, true);
    }
    const before = tree.get(path);
    if (before !== undefined && !(before && folder)) throw bad(`${path} is there twice`);
    tree.set(path, folder);
  };
  for (const path of folders) add(path, true);
  for (const { path } of files) add(path, false);
  for (const { path } of links) add(path, false);
  for (const { path, target } of links) {
    if (!tree.has(linkTarget(path, target))) throw bad(`link ${path} leads to nothing in the release`);
  }
  sizesOf(manifest);
  return manifest;
}

/** Bytes of each content by its SHA-256; what several files share is there once. */
export function sizesOf({ files }: Pick<ReleaseManifest, 'files'>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { path, sha256, size } of files) {
    if ((sizes.get(sha256) ?? size) !== size)
      throw new ContractError('bad-manifest', `${path} has another size than a file with the same hash`);
    sizes.set(sha256, size);
  }
  return sizes;
}

/** All folders of the tree, each after the one that holds it. */
export function foldersOf({ files, folders = [], links = [] }: ReleaseManifest): string[] {
  const all = new Set<string>();
  const upTo = (names: string[]) => {
    for (let depth = 1; depth <= names.length; depth += 1) all.add(names.slice(0, depth).join('/'));
  };
  for (const folder of folders) upTo(pathNames(folder));
  for (const { path } of [...files, ...links]) upTo(pathNames(path).slice(0, -1));
  return [...all].toSorted((a, b) => a.split('/').length - b.split('/').length);
}

export const totalBytes = ({ files }: Pick<ReleaseManifest, 'files'>): number =>
  files.reduce((sum, { size }) => sum + size, 0);
