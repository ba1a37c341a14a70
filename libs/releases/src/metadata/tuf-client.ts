import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BowlineError, InternalError, TransientError } from '@bowline/runtime';
import { Updater, type Config, type TargetFile } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { readAll, type Reply } from '../transport/http-mirror.ts';
import { mustNotFall, type Floor, type RolesOfRoot } from './floor.ts';
import type { Trusted, TrustedStore } from './trusted-file.ts';

/** Where tuf-js believes the metadata to be; only the name after it counts. */
const BASE = 'http://metadata.invalid/';

export interface TufClientOptions {
  store: TrustedStore;
  /** A folder for a moment's copies; emptied first and removed at last. */
  scratchDir: string;
  /** SHA-256 of the root that everything begins with; another one than before begins anew. */
  anchor: string;
  /** The bytes of that root, asked for only if nothing is trusted yet. */
  initialRoot(until: AbortSignal): Promise<string>;
  /** Gets a file of metadata by its name, e.g. `2.root.json`. */
  get(name: string, until: AbortSignal): Promise<Reply>;
  /** What time it is, epoch milliseconds, from whom the device believes. */
  nowMs: number;
  config?: Partial<Config>;
}

/**
 * The metadata after one look at the server, verified by tuf-js as the TUF specification wants it (section 5). Around it:
 * - tuf-js works on a copy; what it verified is kept in one step, also if a later file was not good, so that nobody can make us
 *   forget a new root or a higher timestamp.
 * - Metadata that is damaged counts as none: we begin with the first root again, and versions recorded apart must still be met.
 * - Time is an argument: the clock of the machine is not asked.
 *
 * @throws TransientError `metadata-expired`, `metadata-rollback`, `metadata-untrusted`, and what `get` throws.
 */
export async function refreshMetadata(
  options: TufClientOptions,
  until: AbortSignal,
): Promise<VerifiedMetadata> {
  const held = options.store.load();
  const floor = held.floor?.anchor === options.anchor ? held.floor : undefined;
  const trusted = held.trusted?.anchor === options.anchor ? held.trusted : undefined;
  const roles = trusted?.roles ?? { root: await firstRoot(options, until) };
  const { scratchDir } = options;
  rmSync(scratchDir, { recursive: true, force: true });
  mkdirSync(scratchDir, { recursive: true, mode: 0o700 });
  for (const [role, text] of Object.entries(roles)) writeFileSync(fileOf(scratchDir, role), text);
  try {
    const metadata = new VerifiedMetadata(options, { trusted, floor }, until);
    await metadata.refresh();
    return metadata;
  } catch (error) {
    rmSync(scratchDir, { recursive: true, force: true });
    throw explained(error, undefined);
  }
}

/** So seldom is the time alone written down: flash wears out. */
const TIME_STEP_MS = 3600_000;

interface Held {
  trusted: Trusted | undefined;
  floor: Floor | undefined;
}

export class VerifiedMetadata {
  readonly #options: TufClientOptions;
  readonly #held: Held;
  readonly #updater: Updater;
  /** What the server's side threw: tuf-js would leave only its text. */
  #fault: unknown;

  constructor(options: TufClientOptions, held: Held, until: AbortSignal) {
    this.#options = options;
    this.#held = held;
    this.#updater = new Updater({
      metadataDir: options.scratchDir,
      metadataBaseUrl: BASE,
      fetcher: {
        downloadBytes: (url, maxLength) =>
          this.#download(url.slice(BASE.length), maxLength, until).catch((error: unknown) => {
            this.#fault = error;
            throw error;
          }),
        downloadFile: () => Promise.reject(new InternalError('internal', 'targets are fetched by us')),
      },
      ...(options.config !== undefined && { config: options.config }),
    });
    setTime(this.#updater, options.nowMs);
  }

  refresh(): Promise<void> {
    return this.#keeping(() => this.#updater.refresh());
  }

  /** Of every target that the top-level role names itself. */
  paths(): string[] {
    return Object.keys(trustedSetOf(this.#updater).targets?.signed.targets ?? {});
  }

  /** @returns undefined if there is no such target. Delegated roles are asked, too. */
  target(path: string): Promise<TargetFile | undefined> {
    return this.#keeping(() => this.#updater.getTargetInfo(path));
  }

  /** Where a target lies below the base URL of targets: with consistent snapshots its hash is before its name. */
  pathOf({ path, hashes }: TargetFile): string {
    const { root } = trustedSetOf(this.#updater);
    const [hash] = Object.values(hashes);
    if (!root.signed.consistentSnapshot || hash === undefined) return path;
    const slash = path.lastIndexOf('/') + 1;
    return `${path.slice(0, slash)}${hash}.${path.slice(slash)}`;
  }

  close(): void {
    rmSync(this.#options.scratchDir, { recursive: true, force: true });
  }

  async #download(name: string, maxLength: number, until: AbortSignal): Promise<Buffer> {
    const reply = await this.#options.get(name, until);
    if (reply.status === 200) return readAll(reply, maxLength, name);
    reply.drop();
    throw new DownloadHTTPError(`the server answers ${reply.status} to ${name}`, reply.status);
  }

  async #keeping<T>(act: () => Promise<T>): Promise<T> {
    this.#fault = undefined;
    let result: T;
    try {
      result = await act();
    } catch (error) {
      this.#keep(false);
      throw explained(error, this.#fault);
    }
    this.#keep(true);
    return result;
  }

  /**
   * Whatever tuf-js wrote into its folder, it had verified before. The time counts as seen only if everything was valid at it:
   * so a lie about the time can move it up to the next expiry, no further.
   */
  #keep(whole: boolean): void {
    const { anchor, store, nowMs, scratchDir } = this.#options;
    const { trusted, floor } = this.#held;
    const roles: Record<string, string> = {};
    const versions: Record<string, number> = {};
    for (const name of readdirSync(scratchDir)) {
      const role = decodeURIComponent(name.replace(/\.json$/, ''));
      const text = readFileSync(join(scratchDir, name), 'utf8');
      roles[role] = text;
      versions[role] = (JSON.parse(text) as { signed: { version: number } }).signed.version;
    }
    const ofRoot = rolesOf(roles['root'] ?? '');
    if (floor !== undefined) mustNotFall(versions, ofRoot, floor);
    const before = Math.max(trusted?.atMs ?? 0, floor?.atMs ?? 0);
    const atMs = whole ? Math.max(before, nowMs) : before;
    const same = trusted !== undefined && floor !== undefined && sameRoles(trusted.roles, roles);
    if (same && atMs - before < TIME_STEP_MS) return;
    this.#held.trusted = { anchor, roles, atMs };
    const keys = { timestamp: ofRoot.timestamp.keyids, snapshot: ofRoot.snapshot.keyids };
    this.#held.floor = { anchor, versions: { ...floor?.versions, ...versions }, keys, atMs };
    store.save(this.#held.trusted, this.#held.floor);
  }
}

const sameRoles = (a: Record<string, string>, b: Record<string, string>) =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([role, text]) => b[role] === text);

async function firstRoot({ anchor, initialRoot }: TufClientOptions, until: AbortSignal): Promise<string> {
  const text = await initialRoot(until);
  if (createHash('sha256').update(text).digest('hex') === anchor) return text;
  throw new TransientError(
    'metadata-untrusted',
    'the first root of the update server is not the one that this device was told of',
  );
}

/** Of a root that was verified. */
const rolesOf = (root: string): RolesOfRoot =>
  (JSON.parse(root) as { signed: { roles: RolesOfRoot } }).signed.roles;

const fileOf = (folder: string, role: string) => join(folder, `${encodeURIComponent(role)}.json`);

/** What tuf-js keeps to itself: pinned exactly, and looked at before it is used. */
interface TrustedSet {
  referenceTime: unknown;
  root: { signed: { consistentSnapshot: boolean } };
  targets?: { signed: { targets: Record<string, unknown> } };
}
const trustedSetOf = (updater: Updater) => (updater as unknown as { trustedSet: TrustedSet }).trustedSet;

/** tuf-js asks the clock of the machine when it is made; a device may have none that is right. */
function setTime(updater: Updater, nowMs: number): void {
  const trustedSet = trustedSetOf(updater);
  if (!(trustedSet.referenceTime instanceof Date))
    throw new InternalError('internal', 'tuf-js keeps its time elsewhere in this version');
  trustedSet.referenceTime = new Date(nowMs);
}

/** tuf-js wraps some errors in another, of whose cause only the text is left. */
function explained(error: unknown, fault: unknown): unknown {
  if (fault !== undefined && !(fault instanceof DownloadHTTPError)) return fault;
  if (error instanceof BowlineError || !(error instanceof Error)) return error;
  const { message } = error;
  const cause = { cause: error };
  // Of what this device could not write the server is not to blame. tuf-js leaves only the text of such an error, too.
  if (/\b(ENOSPC|EDQUOT)\b/.test(message))
    return new TransientError('no-space', `the disk has no room for metadata: ${message}`, cause);
  if ('syscall' in error) return error;
  if (fault instanceof DownloadHTTPError && message.includes(fault.message))
    return new TransientError('fetch-refused', `the update server lacks metadata: ${message}`, cause);
  if (/is expired/.test(message))
    return new TransientError(
      'metadata-expired',
      `the metadata of the update server is no longer valid: ${message}`,
      cause,
    );
  if (/is less than current version|does not match snapshot version|doesn't match timestamp/.test(message))
    return new TransientError(
      'metadata-rollback',
      `the update server shows an older state than before: ${message}`,
      cause,
    );
  return new TransientError(
    'metadata-untrusted',
    `the metadata of the update server is not good: ${message}`,
    cause,
  );
}
