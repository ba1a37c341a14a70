import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gt, rcompare, valid } from 'semver';
import { RejectedError, TransientError, type Clock } from '@bowline/runtime';
import { manifestPath, METADATA, targetOf, versionsOf } from '../layout.ts';
import { decodeManifest } from '../manifest.ts';
import { MAX_MANIFEST_BYTES, type ReleaseManifest } from '../manifest-schema.ts';
import { refreshMetadata, type VerifiedMetadata } from '../metadata/tuf-client.ts';
import { trustedFiles } from '../metadata/trusted-file.ts';
import { readAll } from '../transport/http-mirror.ts';
import { trustedTime, type NamedOrder } from './judge-release.ts';
import type { NewRelease, WantedNews } from './release-source.ts';
import type { Place, Supply } from './supply.ts';

const FIRST_ROOT = '1.root.json';
const MAX_ROOT_BYTES = 512 * 1024;
/** Manifests that are read in search of one of the right channel and kind, the newest first. */
const MOST_LOOKED_AT = 20;

/** What the metadata begins with: the hash of the first root, and the root itself where the device was made with it. */
export interface RootAnchor {
  sha256: string;
  root?: string;
}

export interface CatalogueOptions {
  supply: Supply;
  /** For what is trusted, and for what was fetched; of this source alone. */
  stateDir: string;
  /** @throws RejectedError `no-release-root` if this device was not told whom to trust. */
  anchor(): Promise<RootAnchor>;
  /** Server time, epoch milliseconds, if it was heard. */
  serverMs(): number | undefined;
  /** When this program was made, epoch milliseconds. */
  builtMs: number;
  clock: Clock;
}

export interface FoundRelease {
  manifest: ReleaseManifest;
  /** SHA-256 of the manifest. */
  digest: string;
}

export interface Catalogue {
  /** The manifest of a release, as the metadata says it is. @throws see ReleaseSource.resolve. */
  find(order: Pick<NamedOrder, 'name' | 'version'>, until: AbortSignal): Promise<FoundRelease>;
  newest(wanted: readonly WantedNews[], until: AbortSignal): Promise<NewRelease[]>;
}

/** Which releases there are: metadata and manifests of a supply, verified. */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  const { supply, stateDir, clock } = options;
  const trusted = trustedFiles(join(stateDir, 'trusted.json'), join(stateDir, 'floor.json'));

  async function manifestIn(
    place: Place,
    metadata: VerifiedMetadata,
    { name, version }: { name: string; version: string },
    until: AbortSignal,
  ): Promise<FoundRelease> {
    const target = await metadata.target(targetOf(name, version));
    const sha256 = target?.hashes['sha256'];
    if (target === undefined || sha256 === undefined)
      throw new RejectedError('release-unknown', `nobody has published ${name} ${version}`);
    const maxBytes = Math.min(target.length, MAX_MANIFEST_BYTES);
    const text = await get(place, manifestPath(name, version, sha256), maxBytes, until);
    if (text.length !== target.length || createHash('sha256').update(text).digest('hex') !== sha256)
      throw new TransientError(
        'fetch-broken',
        `${place.url} sends another manifest of ${name} ${version} than the one that is signed`,
      );
    return { manifest: decodeManifest(text.toString('utf8')), digest: sha256 };
  }

  async function newestIn(
    place: Place,
    metadata: VerifiedMetadata,
    wanted: readonly WantedNews[],
    until: AbortSignal,
  ): Promise<NewRelease[]> {
    const paths = metadata.paths();
    const news: NewRelease[] = [];
    for (const { name, kind, channels, above } of wanted) {
      const newer = versionsOf(paths, name)
        .filter((version) => valid(version) !== null && gt(version, above))
        .toSorted(rcompare);
      for (const version of newer.slice(0, MOST_LOOKED_AT)) {
        const { manifest, digest } = await manifestIn(place, metadata, { name, version }, until);
        if (manifest.kind !== kind || !channels.includes(manifest.channel)) continue;
        news.push({ name, version, kind, channel: manifest.channel, digest });
        break;
      }
    }
    return news;
  }

  async function look(place: Place, until: AbortSignal): Promise<VerifiedMetadata> {
    const anchor = await options.anchor();
    const held = trusted.load();
    const notBeforeMs = Math.max(options.builtMs, held.floor?.atMs ?? 0, held.trusted?.atMs ?? 0);
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
  async function inPlaces<T>(
    act: (place: Place, metadata: VerifiedMetadata) => Promise<T>,
    until: AbortSignal,
  ): Promise<T> {
    let fault: unknown = new TransientError('fetch-failed', 'this device has no update server');
    for (const place of await supply.places(until)) {
      try {
        const metadata = await look(place, until);
        try {
          return await act(place, metadata);
        } finally {
          metadata.close();
        }
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

  return {
    find: (order, until) => inPlaces((place, metadata) => manifestIn(place, metadata, order, until), until),
    newest: (wanted, until) => inPlaces((place, metadata) => newestIn(place, metadata, wanted, until), until),
  };
}
