import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { acquireLock } from '@bowline/runtime';
import { METADATA, totalBytes, type ReleaseManifest } from '@bowline/releases';
import {
  addRelease,
  changeRoot,
  changeTargets,
  initRepository,
  openThresholds,
  publish,
  readStanding,
  readTree,
  rolesOf,
  signDrafts,
  tufKey,
  withdrawRelease,
  writeBundle,
  type ReleaseSigner,
  type Role,
  type RoleKeys,
} from '@bowline/releases/publisher';
import { releaseKey, releaseSigner } from '../adapters/release-signers.ts';
import { told } from '../adapters/signing-keys.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';

export interface Signing {
  /** Keys by name, file or `exec:PROGRAM`. */
  sign: readonly string[];
}

export interface Init extends Signing {
  /** Each by role; the online keys sign snapshot and timestamp. */
  keys: Record<'root' | 'targets' | 'online', readonly string[]>;
  thresholds: Record<'root' | 'targets', number>;
}

/** `bowline release init REPOSITORY`: a repository of releases, to be signed and published. */
export const initReleases = (
  context: Context,
  repository: string,
  { keys, thresholds, sign }: Init,
): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    const of = (names: readonly string[]) => Promise.all(names.map((name) => releaseKey(context, name)));
    const online = { keys: await of(keys.online), threshold: 1 };
    const roles: RoleKeys = {
      root: { keys: await of(keys.root), threshold: thresholds.root },
      targets: { keys: await of(keys.targets), threshold: thresholds.targets },
      snapshot: online,
      timestamp: online,
    };
    await initRepository(repository, roles, signers, Date.now());
    return {};
  });

export interface Build extends Signing {
  repository: string;
  manifest: Omit<ReleaseManifest, 'format' | 'files' | 'folders' | 'links'>;
}

/** `bowline release build FOLDER`: a release of everything in a folder. */
export const buildRelease = (
  context: Context,
  folder: string,
  { repository, manifest, sign }: Build,
): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    mustBeThere(repository);
    const { files, folders, links } = await readTree(resolve(folder), repository);
    const whole: ReleaseManifest = {
      format: 1,
      ...manifest,
      files,
      ...(folders.length > 0 && { folders }),
      ...(links.length > 0 && { links }),
    };
    const { digest } = await addRelease(repository, whole, signers, Date.now());
    if (!context.json)
      print(
        `${manifest.name} ${manifest.version}: ${files.length} files, ${totalBytes(whole)} bytes, digest ${digest}`,
      );
    return { name: manifest.name, version: manifest.version, digest };
  });

/** `bowline release withdraw REPOSITORY NAME VERSION`: nobody installs it any more. */
export const withdraw = (
  context: Context,
  repository: string,
  name: string,
  version: string,
  { sign }: Signing,
): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    await withdrawRelease(repository, name, version, signers, Date.now());
    return {};
  });

/** `bowline release rotate REPOSITORY ROLE OLD NEW`: one key takes the place of another. */
export const rotateKey = (
  context: Context,
  repository: string,
  roles: readonly Role[],
  [old, next]: readonly [string, string],
  { sign }: Signing,
): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    const [before, after] = [await releaseKey(context, old), await releaseKey(context, next)];
    const replace = (all: RoleKeys): RoleKeys => {
      const changed = { ...all };
      for (const role of roles) {
        const { keys, threshold } = all[role];
        if (!keys.some(({ x }) => x === before.x))
          throw new CliError('no-key', `"${old}" is no key for ${role}.`, {
            exitCode: EXIT.usage,
            advice: 'See: bowline release show',
          });
        changed[role] = { threshold, keys: keys.map((key) => (key.x === before.x ? after : key)) };
      }
      return changed;
    };
    await changeRoot(repository, replace, signers, Date.now());
    return {};
  });

/** `bowline release renew REPOSITORY root|targets`: the same with a later expiry. */
export const renew = (
  context: Context,
  repository: string,
  role: 'root' | 'targets',
  { sign }: Signing,
): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    if (role === 'root') await changeRoot(repository, (roles) => roles, signers, Date.now());
    else await changeTargets(repository, (files) => files, signers, Date.now());
    return {};
  });

/** `bowline release sign REPOSITORY`: adds signatures to what is not published yet. */
export const signReleases = (context: Context, repository: string, { sign }: Signing): Promise<void> =>
  change(context, repository, sign, async (signers) => {
    await signDrafts(repository, signers);
    return {};
  });

/** `bowline release publish REPOSITORY`: what has its signatures, and a new snapshot and timestamp in any case. */
export async function publishReleases(
  context: Context,
  repository: string,
  { sign }: Signing,
): Promise<void> {
  await locked(repository, async () => {
    const signers = await Promise.all(sign.map((name) => releaseSigner(context, name)));
    await publish(repository, signers, Date.now());
  });
  showReleases(context, repository);
}

export interface Bundle {
  name: string;
  version: string;
  file: string;
  /** File with a signed order that is to go with it. */
  order?: string;
}

/** `bowline release bundle REPOSITORY NAME VERSION FILE`: for a device without a network. */
export async function bundleRelease(
  { json }: Context,
  repository: string,
  { name, version, file, order }: Bundle,
): Promise<void> {
  await told(() =>
    writeBundle(repository, { name, version }, file, order === undefined ? undefined : readOrder(order)),
  );
  if (json) printJson({ file });
  else print(`${file} holds ${name} ${version}${order === undefined ? '' : ' and the order for it'}.`);
}

function readOrder(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('file-unreadable', `${file} cannot be read.`, {
      exitCode: EXIT.usage,
      advice: '',
      cause,
    });
  }
}

/** `bowline release show REPOSITORY` */
export function showReleases({ json }: Context, repository: string): void {
  const { root, targets, snapshot, timestamp, draft } = readStanding(repository);
  const roles = { root, targets, snapshot, timestamp };
  const keys = root === undefined ? undefined : rolesOf(root);
  const releases = Object.values(targets?.signed.targets ?? {}).map(({ path, hashes }) => ({
    release: path.replace(/\.json$/, '').replace('/', ' '),
    digest: hashes['sha256'] ?? '',
  }));
  const rows = (Object.keys(roles) as Role[]).map((role) => ({
    role,
    version: roles[role]?.signed.version ?? 0,
    expires: roles[role]?.signed.expires ?? '',
    keys: keys?.[role].keys.map((jwk) => tufKey(jwk).id) ?? [],
    threshold: keys?.[role].threshold ?? 0,
  }));
  const open = openThresholds(repository);
  if (json) return printJson({ roles: rows, releases, unpublished: open });
  const shown = rows.map(({ role, version, expires, threshold, keys: ids }) => [
    role,
    `${version}`,
    expires,
    `${threshold} of ${ids.length}`,
  ]);
  print(table(['metadata', 'version', 'good until', 'signatures needed'], shown));
  print(
    releases.length === 0
      ? 'No releases are published.'
      : table(
          ['release', 'digest'],
          releases.map(({ release, digest }) => [release, digest]),
        ),
  );
  if (draft.root !== undefined || draft.targets !== undefined) sayOpen(repository);
}

/** A change of a repository: nobody else changes it meanwhile, and what is still to be signed is said. */
async function change(
  context: Context,
  repository: string,
  sign: readonly string[],
  act: (signers: ReleaseSigner[]) => Promise<Record<string, unknown>>,
): Promise<void> {
  const signers = await Promise.all(sign.map((name) => releaseSigner(context, name)));
  const result = await locked(repository, () => act(signers));
  if (context.json) printJson({ ...result, unpublished: openThresholds(repository) });
  else sayOpen(repository);
}

function locked<T>(repository: string, act: () => Promise<T>): Promise<T> {
  return told(async () => {
    const lock = acquireLock(join(repository, '.draft/lock'));
    try {
      return await act();
    } finally {
      lock.release();
    }
  });
}

function sayOpen(repository: string): void {
  const open = openThresholds(repository);
  const short = open.filter(({ signed, needed }) => signed < needed);
  for (const { role, version, signed, needed } of short)
    print(
      `${role} ${version} has ${signed} of ${needed} signatures: bowline release sign ${repository} --sign KEY`,
    );
  if (short.length === 0 && open.length > 0)
    print(`Signed, and not published yet: bowline release publish ${repository} --sign ONLINE-KEY`);
}

function mustBeThere(repository: string): void {
  if (existsSync(join(repository, METADATA)) || existsSync(join(repository, '.draft/root.json'))) return;
  throw new CliError('no-repository', `${repository} is no repository of releases.`, {
    exitCode: EXIT.usage,
    advice: 'Make one: bowline release init',
  });
}
