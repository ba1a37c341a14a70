import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models';
import { METADATA } from '../layout.ts';
import { textOf } from './signed-metadata.ts';

/** What is made and not published yet; a name with a dot is not served by most file servers, and holds no secret. */
const DRAFT = '.draft';
const PUBLIC_FILE = 0o644;
const PUBLIC_FOLDER = 0o755;

/** What stands in a repository now. */
export interface Standing {
  root: Metadata<Root> | undefined;
  targets: Metadata<Targets> | undefined;
  snapshot: Metadata<Snapshot> | undefined;
  timestamp: Metadata<Timestamp> | undefined;
  draft: { root: Metadata<Root> | undefined; targets: Metadata<Targets> | undefined };
}

/** @throws ConfigError `repository-broken` */
export function readStanding(folder: string): Standing {
  const at = (name: string) => join(folder, METADATA, name);
  const draftAt = (name: string) => join(folder, DRAFT, name);
  const timestamp = read(at('timestamp.json'), (json) => Metadata.fromJSON(MetadataKind.Timestamp, json));
  const snapshotFile = timestamp && at(`${timestamp.signed.snapshotMeta.version}.snapshot.json`);
  const snapshot =
    snapshotFile === undefined
      ? undefined
      : needed(
          snapshotFile,
          read(snapshotFile, (json) => Metadata.fromJSON(MetadataKind.Snapshot, json)),
        );
  const targetsVersion = snapshot?.signed.meta['targets.json']?.version;
  const targetsFile = targetsVersion === undefined ? undefined : at(`${targetsVersion}.targets.json`);
  const asTargets = (json: Json) => Metadata.fromJSON(MetadataKind.Targets, json);
  const asRoot = (json: Json) => Metadata.fromJSON(MetadataKind.Root, json);
  const rootVersion = newestRoot(folder);
  return {
    timestamp,
    snapshot,
    targets: targetsFile === undefined ? undefined : needed(targetsFile, read(targetsFile, asTargets)),
    root: rootVersion === 0 ? undefined : read(at(`${rootVersion}.root.json`), asRoot),
    draft: {
      root: read(draftAt('root.json'), asRoot),
      targets: read(draftAt('targets.json'), asTargets),
    },
  };
}

/** Version of the newest root that is published; 0 if none is. */
function newestRoot(folder: string): number {
  const metadata = join(folder, METADATA);
  const names = existsSync(metadata) ? readdirSync(metadata) : [];
  return Math.max(0, ...names.map((name) => Number(/^([0-9]+)\.root\.json$/.exec(name)?.[1] ?? 0)));
}

export function writeDraft(
  folder: string,
  name: 'root' | 'targets',
  metadata: Metadata<Root | Targets>,
): void {
  writePublic(folder, `${DRAFT}/${name}.json`, textOf(metadata));
}

export const dropDraft = (folder: string, name: 'root' | 'targets'): void =>
  rmSync(join(folder, DRAFT, `${name}.json`), { force: true });

/** A file that the server is to serve: whoever asks gets the old or the new one, whole. */
export function writePublic(folder: string, path: string, text: string): void {
  makePublicFolder(folder, path.split('/').slice(0, -1));
  const file = join(folder, path);
  writeFileDurably(file, text, PUBLIC_FILE);
  chmodSync(file, PUBLIC_FILE); // whatever the umask is
}

export function makePublicFolder(folder: string, names: readonly string[]): void {
  for (let depth = 0; depth <= names.length; depth += 1) {
    const each = join(folder, ...names.slice(0, depth));
    if (existsSync(each)) continue;
    mkdirSync(each, { recursive: true });
    chmodSync(each, PUBLIC_FOLDER);
  }
}

type Json = Parameters<typeof Metadata.fromJSON>[1];

function read<T>(file: string, decode: (json: Json) => T): T | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return decode(JSON.parse(text) as Json);
  } catch (cause) {
    throw new ConfigError('repository-broken', `${file} is damaged: restore it from a backup`, { cause });
  }
}

function needed<T>(file: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new ConfigError('repository-broken', `${file} is absent: restore it from a backup`);
}
