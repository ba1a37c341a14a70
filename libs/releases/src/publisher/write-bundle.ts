import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@bowline/runtime';
import { create, replace } from 'tar';
import { blobPath, manifestPath, METADATA, ORDER_FILE, targetOf } from '../layout.ts';
import { decodeManifest, sizesOf } from '../manifest.ts';
import { readStanding } from './repository-files.ts';

/**
 * One tar file with all that a device needs of a published release, for one that has no network: metadata, manifest, contents.
 *
 * @param order compact JWS to go with it.
 * @throws ConfigError `repository-refused` if the release is not published.
 */
export async function writeBundle(
  folder: string,
  { name, version }: { name: string; version: string },
  file: string,
  order?: string,
): Promise<void> {
  const { root, targets, snapshot } = readStanding(folder);
  const digest = targets?.signed.targets[targetOf(name, version)]?.hashes['sha256'];
  if (root === undefined || targets === undefined || snapshot === undefined || digest === undefined)
    throw new ConfigError('repository-refused', `${name} ${version} is not published in ${folder}`);
  const manifest = manifestPath(name, version, digest);
  const contents = sizesOf(decodeManifest(readFileSync(join(folder, manifest), 'utf8')));
  const paths = [
    ...Array.from({ length: root.signed.version }, (_, index) => `${METADATA}/${index + 1}.root.json`),
    `${METADATA}/timestamp.json`,
    `${METADATA}/${snapshot.signed.version}.snapshot.json`,
    `${METADATA}/${targets.signed.version}.targets.json`,
    manifest,
    ...[...contents.keys()].map(blobPath),
  ];
  for (const path of paths)
    if (!existsSync(join(folder, path)))
      throw new ConfigError('repository-broken', `${join(folder, path)} is absent: restore it from a backup`);
  await create({ file, cwd: folder, portable: true, follow: false, noDirRecurse: true }, paths);
  if (order === undefined) return;
  const beside = mkdtempSync(join(tmpdir(), 'bowline-bundle-'));
  try {
    writeFileSync(join(beside, ORDER_FILE), order);
    await replace({ file, cwd: beside, portable: true }, [ORDER_FILE]);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}
