import { createHash } from 'node:crypto';
import {
  MetaFile,
  Metadata,
  MetadataKind,
  Root,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import type { Ed25519Jwk } from '@bowline/messages';
import { ConfigError } from '@bowline/runtime';
import { manifestPath, METADATA, targetOf } from '../layout.ts';
import { checkManifest } from '../manifest.ts';
import type { ReleaseManifest } from '../manifest-schema.ts';
import { tufKey, type ReleaseSigner } from './release-signer.ts';
import { dropDraft, readStanding, writeDraft, writePublic, type Standing } from './repository-files.ts';
import {
  addSignatures,
  fingerprint,
  header,
  ROLES,
  textOf,
  threshold,
  type Role,
  type Threshold,
} from './signed-metadata.ts';

const DAY_MS = 24 * 3600_000;
/** How long metadata is good from when it was made. The last two are renewed by each `publish`, which a timer can run. */
export const LIFETIME_MS = {
  root: 365 * DAY_MS,
  targets: 365 * DAY_MS,
  snapshot: 30 * DAY_MS,
  timestamp: 30 * DAY_MS,
};

export type RoleKeys = Record<Role, { keys: readonly Ed25519Jwk[]; threshold: number }>;

const refused = (why: string) => new ConfigError('repository-refused', why);

/** @throws ConfigError `repository-refused` if there is a repository already, or a threshold cannot be met. */
export async function initRepository(
  folder: string,
  roles: RoleKeys,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<void> {
  const { root, draft } = readStanding(folder);
  if (root !== undefined || draft.root !== undefined) throw refused(`${folder} holds a repository already`);
  const first = new Metadata(rootOf(roles, 1, nowMs));
  await addSignatures(first, 'root', [first], signers);
  writeDraft(folder, 'root', first);
  const targets = new Metadata(new Targets({ ...header(1, nowMs + LIFETIME_MS.targets), targets: {} }));
  await addSignatures(targets, 'targets', [first], signers);
  writeDraft(folder, 'targets', targets);
}

/**
 * The next root, with other keys or thresholds or just a later expiry. Signatures of the draft before it are void; so are
 * those of targets whose keys changed: they are renewed with it.
 */
export async function changeRoot(
  folder: string,
  change: (roles: RoleKeys) => RoleKeys,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<void> {
  const standing = readStanding(folder);
  const before = newest(standing);
  const version = (standing.root?.signed.version ?? 0) + 1;
  const next = new Metadata(rootOf(change(rolesOf(before)), version, nowMs));
  await addSignatures(next, 'root', standing.root === undefined ? [next] : [standing.root, next], signers);
  writeDraft(folder, 'root', next);
  const targets = standing.draft.targets ?? standing.targets;
  if (targets === undefined || !short(threshold(targets, 'targets', next))) return;
  await changeTargets(folder, (files) => files, signers, nowMs);
}

/** Puts a manifest in place, and its release into the next targets metadata; the files must be there already. */
export async function addRelease(
  folder: string,
  manifest: ReleaseManifest,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<{ digest: string }> {
  const text = `${JSON.stringify(checkManifest(manifest))}\n`;
  const digest = createHash('sha256').update(text).digest('hex');
  const { name, version } = manifest;
  const path = targetOf(name, version);
  const standing = readStanding(folder);
  const published = standing.targets?.signed.targets[path]?.hashes['sha256'];
  if (published !== undefined && published !== digest)
    throw refused(`${name} ${version} is published already, with other content: give it another version`);
  writePublic(folder, manifestPath(name, version, digest), text);
  const file = new TargetFile({ path, ...fingerprint(text) });
  await changeTargets(folder, (files) => ({ ...files, [path]: file }), signers, nowMs);
  return { digest };
}

/** Takes a release out of the next targets metadata: no device installs it any more. */
export async function withdrawRelease(
  folder: string,
  name: string,
  version: string,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<void> {
  const path = targetOf(name, version);
  await changeTargets(
    folder,
    ({ [path]: gone, ...left }) => {
      if (gone === undefined) throw refused(`there is no release ${name} ${version}`);
      return left;
    },
    signers,
    nowMs,
  );
}

/** The next targets metadata: the same releases with a later expiry, unless changed. */
export async function changeTargets(
  folder: string,
  change: (files: Record<string, TargetFile>) => Record<string, TargetFile>,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<void> {
  const standing = readStanding(folder);
  const { draft, targets } = standing;
  const files = (draft.targets ?? targets)?.signed.targets ?? {};
  const version = (targets?.signed.version ?? 0) + 1;
  const next = new Metadata(
    new Targets({ ...header(version, nowMs + LIFETIME_MS.targets), targets: change(files) }),
  );
  await addSignatures(next, 'targets', [newest(standing)], signers);
  writeDraft(folder, 'targets', next);
}

/** Adds signatures to what is not published yet. */
export async function signDrafts(folder: string, signers: readonly ReleaseSigner[]): Promise<Threshold[]> {
  const standing = readStanding(folder);
  const { root, draft } = standing;
  if (draft.root !== undefined) {
    await addSignatures(draft.root, 'root', root === undefined ? [draft.root] : [root, draft.root], signers);
    writeDraft(folder, 'root', draft.root);
  }
  if (draft.targets !== undefined) {
    await addSignatures(draft.targets, 'targets', [newest(standing)], signers);
    writeDraft(folder, 'targets', draft.targets);
  }
  return openThresholds(folder);
}

/** How far the signatures of what is not published yet have come. The next root needs those of the root before it, too. */
export function openThresholds(folder: string): Threshold[] {
  const standing = readStanding(folder);
  const { root, draft } = standing;
  const all: Threshold[] = [];
  if (draft.root !== undefined) {
    if (root !== undefined && root.signed.version < draft.root.signed.version)
      all.push(threshold(draft.root, 'root', root));
    all.push(threshold(draft.root, 'root', draft.root));
  }
  if (draft.targets !== undefined) all.push(threshold(draft.targets, 'targets', newest(standing)));
  return all;
}

/**
 * Puts the drafts in place with a new snapshot and timestamp, the timestamp last: until it is there, devices see the state
 * before. Cut off at any point, it can be called again.
 *
 * @throws ConfigError `repository-refused` if signatures are missing; nothing is published then.
 */
export async function publish(
  folder: string,
  signers: readonly ReleaseSigner[],
  nowMs: number,
): Promise<Standing> {
  await signDrafts(folder, signers);
  const standing = readStanding(folder);
  const root = newest(standing);
  const targets = standing.draft.targets ?? standing.targets;
  if (targets === undefined) throw refused(`${folder} has no targets metadata`);
  for (const each of [...openThresholds(folder), threshold(targets, 'targets', root)]) mustBeSigned(each);

  const targetsText = textOf(targets);
  const { version } = targets.signed;
  const snapshot = new Metadata(
    new Snapshot({
      ...header((standing.snapshot?.signed.version ?? 0) + 1, nowMs + LIFETIME_MS.snapshot),
      meta: { 'targets.json': new MetaFile({ version, ...fingerprint(targetsText) }) },
    }),
  );
  await addSignatures(snapshot, 'snapshot', [root], signers);
  mustBeSigned(threshold(snapshot, 'snapshot', root));
  const snapshotText = textOf(snapshot);
  const snapshotMeta = new MetaFile({ version: snapshot.signed.version, ...fingerprint(snapshotText) });
  const timestamp = new Metadata(
    new Timestamp({
      ...header((standing.timestamp?.signed.version ?? 0) + 1, nowMs + LIFETIME_MS.timestamp),
      snapshotMeta,
    }),
  );
  await addSignatures(timestamp, 'timestamp', [root], signers);
  mustBeSigned(threshold(timestamp, 'timestamp', root));

  writePublic(folder, `${METADATA}/${root.signed.version}.root.json`, textOf(root));
  writePublic(folder, `${METADATA}/${version}.targets.json`, targetsText);
  writePublic(folder, `${METADATA}/${snapshot.signed.version}.snapshot.json`, snapshotText);
  writePublic(folder, `${METADATA}/timestamp.json`, textOf(timestamp));
  dropDraft(folder, 'root');
  dropDraft(folder, 'targets');
  return readStanding(folder);
}

const short = ({ signed, needed }: Threshold) => signed < needed;

function mustBeSigned(state: Threshold): void {
  if (!short(state)) return;
  const { role, version, signed, needed } = state;
  throw refused(`${role} ${version} has ${signed} of ${needed} signatures by keys that count for it`);
}

/** The root that what is made now must be signed by: the draft, if there is one. */
function newest({ root, draft }: Standing): Metadata<Root> {
  const newer = draft.root ?? root;
  if (newer === undefined) throw refused('there is no repository here yet');
  return newer;
}

function rootOf(roles: RoleKeys, version: number, nowMs: number): Root {
  const keys: Record<string, object> = {};
  const tufRoles: Record<string, object> = {};
  for (const role of ROLES) {
    const own = roles[role].keys.map(tufKey);
    const ids = [...new Set(own.map(({ id }) => id))];
    if (roles[role].threshold < 1 || ids.length < roles[role].threshold)
      throw refused(`${role} has ${ids.length} key(s) and needs ${roles[role].threshold} signature(s)`);
    for (const { id, json } of own) keys[id] = json;
    tufRoles[role] = { keyids: ids, threshold: roles[role].threshold };
  }
  const { specVersion, expires } = header(version, nowMs + LIFETIME_MS.root);
  return Root.fromJSON({
    _type: MetadataKind.Root,
    spec_version: specVersion,
    version,
    expires,
    consistent_snapshot: true,
    keys: keys as never,
    roles: tufRoles as never,
  });
}

/** Keys and thresholds of a root. */
export function rolesOf({ signed }: Metadata<Root>): RoleKeys {
  const roleOf = (role: Role) => {
    const { keyIDs = [], threshold: needed = 1 } = signed.roles[role] ?? {};
    return { keys: keyIDs.flatMap((id) => jwkOf(signed.keys[id]?.keyVal['public'])), threshold: needed };
  };
  return {
    root: roleOf('root'),
    targets: roleOf('targets'),
    snapshot: roleOf('snapshot'),
    timestamp: roleOf('timestamp'),
  };
}

const jwkOf = (hex: string | undefined): Ed25519Jwk[] =>
  hex === undefined ? [] : [{ kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') }];
