import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  lstatSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Backup } from '@bowline/messages';
import { InternalError, TransientError, writeFileDurably, type Clock } from '@bowline/runtime';
import type { ServerIdentity } from '@bowline/server-sdk/store';
import type { ServerConfig } from '../config.ts';
import type { LmdbBackend } from './lmdb-backend.ts';
import { MANIFEST, NOT_COPIED, readManifest, STATE_COPY, STORE_COPY, type Manifest } from './manifest.ts';
import { mustInChild } from './scrub-child.ts';

/** The root key, if this server made one: whoever holds it signs what he likes, so backups leave it out unless asked. */
const ROOT_KEY = 'root-key.pem';

/** Copies of the whole state of a server that goes on running. Each holds its keys: keep them as safe as those. */
export class Backups {
  readonly #parts: { backend: LmdbBackend; identity: ServerIdentity; clock: Clock };
  readonly #stateDir: string;
  readonly #folder: string;
  readonly #keep: number;
  readonly #rootKey: boolean;
  readonly #infoFile: string | undefined;
  #running = false;

  constructor(
    parts: { backend: LmdbBackend; identity: ServerIdentity; clock: Clock },
    { stateDir, backup, infoFile }: Pick<ServerConfig, 'stateDir' | 'backup' | 'infoFile'>,
  ) {
    this.#parts = parts;
    this.#stateDir = stateDir;
    this.#folder = resolve(backup.folder ?? join(stateDir, 'backups'));
    this.#keep = backup.keep;
    this.#rootKey = backup.rootKey;
    this.#infoFile = infoFile && resolve(infoFile);
  }

  /**
   * LMDB copies what is committed at one moment; the copy is checked to its last record before it counts as a backup.
   *
   * @throws TransientError `backup-running`. InternalError `store-check-failed`.
   */
  async create(): Promise<Backup> {
    if (this.#running) throw new TransientError('backup-running', 'a backup is being made already');
    this.#running = true;
    const { identity, clock } = this.#parts;
    const at = Math.round(clock.wallMs());
    const name = new Date(at).toISOString().replaceAll(/[:.]/g, '-');
    const making = join(this.#folder, `${name}.new`);
    try {
      this.#removeUnfinished();
      mkdirSync(making, { recursive: true, mode: 0o700 });
      await this.#copyStore(join(making, STORE_COPY));
      this.#copyState(join(making, STATE_COPY));
      const { serverId, serverEpoch } = identity;
      const files = await digests(making);
      const manifest: Manifest = { format: 1, name, at, serverId, serverEpoch, files };
      writeFileDurably(join(making, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
      renameSync(making, join(this.#folder, name));
      fsyncPath(this.#folder);
      this.#prune();
      return this.#view(manifest);
    } finally {
      rmSync(making, { recursive: true, force: true });
      this.#running = false;
    }
  }

  /** Newest first; what does not read as a backup is none. */
  list(): Backup[] {
    return this.#names()
      .toReversed()
      .flatMap((name) => {
        try {
          return [this.#view({ ...readManifest(join(this.#folder, name)), name })];
        } catch {
          return [];
        }
      });
  }

  async #copyStore(file: string): Promise<void> {
    await this.#parts.backend.copyTo(file);
    const { verdict, detail } = await mustInChild('finish', { file });
    rmSync(`${file}-lock`, { force: true });
    if (verdict !== 'sound')
      throw new InternalError('store-check-failed', `the copy of the store is ${verdict}: ${detail}`);
  }

  #copyState(target: string): void {
    mkdirSync(target, { mode: 0o700 });
    const ours = (path: string) => {
      const { isFile, isFolder } = kindOf(path);
      return (isFile || isFolder) && resolve(path) !== this.#folder && resolve(path) !== this.#infoFile;
    };
    for (const name of readdirSync(this.#stateDir)) {
      const path = join(this.#stateDir, name);
      const left = NOT_COPIED.test(name) || (name === ROOT_KEY && !this.#rootKey);
      if (!left && ours(path))
        cpSync(path, join(target, name), { recursive: true, dereference: true, filter: ours });
    }
  }

  #view({ name, at, serverEpoch, files }: Manifest): Backup {
    const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
    return { name, at, bytes, serverEpoch, folder: join(this.#folder, name) };
  }

  /** Oldest first; what is being made has no manifest yet, or another name. */
  #names(): string[] {
    if (!existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((name) => !name.endsWith('.new') && existsSync(join(this.#folder, name, MANIFEST)))
      .toSorted();
  }

  #removeUnfinished(): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder).filter((entry) => entry.endsWith('.new')))
      rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  #prune(): void {
    for (const name of this.#names().slice(0, -this.#keep))
      rmSync(join(this.#folder, name), { recursive: true, force: true });
  }
}

/** Of every file below a folder, by its path there, links left out; each is on disk then. */
export async function digests(folder: string): Promise<Manifest['files']> {
  const found: Manifest['files'] = {};
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    const path = join(folder, entry);
    if (!lstatSync(path).isFile() || entry === MANIFEST) continue;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    fsyncPath(path);
    found[entry] = { bytes: statSync(path).size, sha256: hash.digest('hex') };
  }
  return found;
}

function kindOf(path: string): { isFile: boolean; isFolder: boolean } {
  const status = statSync(path);
  return { isFile: status.isFile(), isFolder: status.isDirectory() };
}

function fsyncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
