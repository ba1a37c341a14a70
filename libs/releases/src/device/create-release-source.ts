import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RejectedError, TransientError, type Clock } from '@bowline/runtime';
import { manifestPath, METADATA, targetOf } from '../layout.ts';
import { decodeManifest, foldersOf, sizesOf, totalBytes } from '../manifest.ts';
import { MAX_MANIFEST_BYTES, type ReleaseFile, type ReleaseManifest } from '../manifest-schema.ts';
import { refreshMetadata, type VerifiedMetadata } from '../metadata/tuf-client.ts';
import { trustedFiles } from '../metadata/trusted-file.ts';
import { readAll } from '../transport/http-mirror.ts';
import { ContentStore, hasContent } from './content-store.ts';
import { FetchMeter } from './fetch-meter.ts';
import { judgeRelease, namedBy, trustedTime, type NamedOrder } from './judge-release.ts';
import { layOut } from './lay-out.ts';
import type {
  InstalledRelease,
  InstalledReleases,
  ReleaseKindName,
  ReleasePlan,
  ReleaseSource,
} from './release-source.ts';
import { checkRoom } from './room.ts';
import type { Place, Supply } from './supply.ts';

const FIRST_ROOT = '1.root.json';
const MAX_ROOT_BYTES = 512 * 1024;

/** What the metadata begins with: the hash of the first root, and the root itself where the device was made with it. */
export interface RootAnchor {
  sha256: string;
  root?: string;
}

export interface ReleaseSourceOptions {
  supply: Supply;
  /** For what is trusted, and for what was fetched; of this source alone. */
  stateDir: string;
  /** Where releases will be laid out: there must be room. */
  releasesDir: string;
  /** Room that must be left for everybody else, bytes. */
  reserveBytes: number;
  /** @throws RejectedError `no-release-root` if this device was not told whom to trust. */
  anchor(): Promise<RootAnchor>;
  /** Server time, epoch milliseconds, if it was heard. */
  serverMs(): number | undefined;
  /** When this program was made, epoch milliseconds. */
  builtMs: number;
  installed: InstalledReleases;
  clock: Clock;
}

/** One source of releases: {@link ReleaseSource} over any {@link Supply}. One at a time may work in a `stateDir`. */
export function createReleaseSource(options: ReleaseSourceOptions): ReleaseSource {
  const { supply, stateDir, releasesDir, reserveBytes, installed, clock } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const trusted = trustedFiles(join(stateDir, 'trusted.json'), join(stateDir, 'floor.json'));
  const store = new ContentStore(join(stateDir, 'content'));

  async function resolve(
    given: Parameters<ReleaseSource['resolve']>[0],
    until: AbortSignal,
  ): Promise<ReleasePlan> {
    const order = namedBy(given);
    const release = await inPlaces((place) => find(order, place, until), until);
    const { manifest, digest } = release;
    const kind = manifest.kind as ReleaseKindName;
    const here = installed(manifest.name, kind);
    judgeRelease(order, release, here);
    const plan = planOf(manifest, digest, here);
    checkRoom(
      [
        { folder: stateDir, bytes: plan.fetchBytes, inodes: missing(manifest, here).size },
        { folder: releasesDir, bytes: plan.totalBytes, inodes: entriesOf(manifest) },
      ],
      reserveBytes,
    );
    return plan;
  }

  /** Looks at the metadata of one place, and gets the manifest there. */
  async function find(
    order: NamedOrder,
    place: Place,
    until: AbortSignal,
  ): Promise<{ manifest: ReleaseManifest; digest: string }> {
    const metadata = await look(place, until);
    try {
      const target = await metadata.target(targetOf(order.name, order.version));
      const sha256 = target?.hashes['sha256'];
      if (target === undefined || sha256 === undefined)
        throw new RejectedError('release-unknown', `nobody has published ${order.name} ${order.version}`);
      const text = await get(
        place,
        manifestPath(order.name, order.version, sha256),
        Math.min(target.length, MAX_MANIFEST_BYTES),
        until,
      );
      if (text.length !== target.length || createHash('sha256').update(text).digest('hex') !== sha256)
        throw new TransientError(
          'fetch-broken',
          `${place.url} sends another manifest of ${order.name} ${order.version} than the one that is signed`,
        );
      return { manifest: decodeManifest(text.toString('utf8')), digest: sha256 };
    } finally {
      metadata.close();
    }
  }

  async function look(place: Place, until: AbortSignal): Promise<VerifiedMetadata> {
    const anchor = await options.anchor();
    const notBeforeMs = Math.max(options.builtMs, trusted.load().floor?.atMs ?? 0);
    const nowMs = trustedTime({ serverMs: options.serverMs(), wallMs: clock.wallMs(), notBeforeMs });
    return refreshMetadata(
      {
        store: trusted,
        scratchDir: join(stateDir, 'scratch'),
        anchor: anchor.sha256,
        initialRoot: async (signal) =>
          anchor.root ??
          (await get(place, `${METADATA}/${FIRST_ROOT}`, MAX_ROOT_BYTES, signal)).toString('utf8'),
        get: (name, signal) => place.get(`${METADATA}/${name}`, {}, signal),
        nowMs,
      },
      until,
    );
  }

  async function get(place: Place, path: string, maxBytes: number, until: AbortSignal): Promise<Buffer> {
    const reply = await place.get(path, {}, until);
    if (reply.status === 200) return readAll(reply, maxBytes, path);
    reply.drop();
    throw new TransientError('fetch-refused', `${place.url} answers ${reply.status} to ${path}`);
  }

  /** What one place lacks or spoils, another may have. */
  async function inPlaces<T>(act: (place: Place) => Promise<T>, until: AbortSignal): Promise<T> {
    let fault: unknown = new TransientError('fetch-failed', 'this device has no update server');
    for (const place of await supply.places(until)) {
      try {
        return await act(place);
      } catch (error) {
        until.throwIfAborted();
        const unknown = error instanceof RejectedError && error.code === 'release-unknown';
        if (!(unknown || error instanceof TransientError)) throw error;
        // Good metadata that does not know the release says more than a server that is down.
        if (!(fault instanceof RejectedError)) fault = error;
      }
    }
    throw fault;
  }

  function planOf(
    manifest: ReleaseManifest,
    digest: string,
    here: InstalledRelease | undefined,
  ): ReleasePlan {
    const total = totalBytes(manifest);
    const fetchBytes = sum(missing(manifest, here).values());
    return {
      name: manifest.name,
      version: manifest.version,
      kind: manifest.kind as ReleaseKindName,
      digest,
      files: manifest.files.length,
      totalBytes: total,
      fetchBytes,
      reusedBytes: sum(sizesOf(manifest).values()) - fetchBytes,
      diskBytes: fetchBytes + total,
      inodes: entriesOf(manifest) + missing(manifest, here).size,
      manifest,
    };
  }

  /** Contents that neither the store has nor, as far as its manifest says, a tree of this device. */
  function missing(manifest: ReleaseManifest, here: InstalledRelease | undefined): Map<string, number> {
    const lacking = sizesOf(manifest);
    for (const [sha256, size] of lacking) if (store.has(sha256, size)) lacking.delete(sha256);
    for (const sha256 of treesOf(here).keys()) lacking.delete(sha256);
    return lacking;
  }

  async function fetch(
    plan: ReleasePlan,
    progress: Parameters<ReleaseSource['fetch']>[1],
    until: AbortSignal,
  ): Promise<void> {
    const sizes = sizesOf(plan.manifest);
    store.keepOnly(sizes);
    const inTrees = treesOf(installed(plan.name, plan.kind));
    const wanted: { sha256: string; size: number }[] = [];
    for (const [sha256, size] of sizes) {
      until.throwIfAborted();
      if (store.has(sha256, size)) continue;
      const file = inTrees.get(sha256);
      if (file === undefined || !(await hasContent(file, sha256, size))) wanted.push({ sha256, size });
    }
    const meter = new FetchMeter(sum(wanted.map(({ size }) => size)), progress, clock.monotonicMs());
    await supply.contents(wanted, store, (bytes) => meter.count(bytes, clock.monotonicMs()), until);
    meter.tell(clock.monotonicMs());
  }

  async function stage(plan: ReleasePlan, folder: string, until: AbortSignal): Promise<void> {
    const inTrees = treesOf(installed(plan.name, plan.kind));
    const sourceOf = ({ sha256, size }: ReleaseFile) =>
      store.has(sha256, size) ? store.fileOf(sha256) : (inTrees.get(sha256) ?? store.fileOf(sha256));
    await layOut(plan.manifest, folder, sourceOf, ({ sha256 }) => store.drop(sha256), until);
  }

  return { resolve, fetch, stage, discard: () => Promise.resolve(store.clear()) };
}

/** Hash → a file on this device that had that content when it was laid out. */
function treesOf(here: InstalledRelease | undefined): Map<string, string> {
  const files = new Map<string, string>();
  for (const { folder, manifest } of here?.trees ?? [])
    for (const { path, sha256 } of manifest.files)
      if (!files.has(sha256)) files.set(sha256, join(folder, path));
  return files;
}

/** Inodes of a tree, its own folder among them. */
const entriesOf = (manifest: ReleaseManifest) =>
  1 + foldersOf(manifest).length + manifest.files.length + (manifest.links?.length ?? 0);

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, each) => total + each, 0);
