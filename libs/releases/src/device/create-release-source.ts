import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { foldersOf, sizesOf, totalBytes } from '../manifest.ts';
import type { ReleaseFile, ReleaseManifest } from '../manifest-schema.ts';
import { mustStayApart, type TakesForOne } from './apart.ts';
import { createCatalogue, type CatalogueOptions } from './catalogue.ts';
import { ContentStore, hasContent } from './content-store.ts';
import { FetchMeter } from './fetch-meter.ts';
import { judgeRelease, namedBy } from './judge-release.ts';
import { layOut } from './lay-out.ts';
import type {
  InstalledRelease,
  InstalledReleases,
  ReleaseKindName,
  ReleasePlan,
  ReleaseSource,
} from './release-source.ts';
import { checkRoom, nearest } from './room.ts';

export interface ReleaseSourceOptions extends CatalogueOptions {
  /** Where releases will be laid out: there must be room. */
  releasesDir: string;
  /** Room that must be left for everybody else, bytes. */
  reserveBytes: number;
  installed: InstalledReleases;
  /** Default: the file system itself is tried out. */
  takesForOne?: TakesForOne;
}

/** One source of releases: {@link ReleaseSource} over any {@link Supply}. One at a time may work in a `stateDir`. */
export function createReleaseSource(options: ReleaseSourceOptions): ReleaseSource {
  const { supply, stateDir, releasesDir, reserveBytes, installed, clock } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const catalogue = createCatalogue(options);
  const store = new ContentStore(join(stateDir, 'content'));

  async function resolve(
    given: Parameters<ReleaseSource['resolve']>[0],
    until: AbortSignal,
    begun = false,
  ): Promise<ReleasePlan> {
    const order = namedBy(given);
    const release = await catalogue.find(order, until);
    const { manifest, digest } = release;
    const kind = manifest.kind as ReleaseKindName;
    const here = installed(manifest.name, kind);
    judgeRelease(order, release, here);
    const plan = planOf(manifest, digest, here);
    if (begun) return plan;
    mustStayApart(manifest, nearest(releasesDir), options.takesForOne);
    const lacking = missing(manifest, here);
    checkRoom(
      [
        { folder: stateDir, bytes: plan.fetchBytes - store.partialBytes(lacking), inodes: lacking.size },
        { folder: releasesDir, bytes: plan.totalBytes, inodes: entriesOf(manifest) },
      ],
      reserveBytes,
    );
    return plan;
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

  return {
    resolve,
    newest: (wanted, until) => catalogue.newest(wanted, until),
    fetch,
    stage,
    discard: () => Promise.resolve(store.clear()),
  };
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
