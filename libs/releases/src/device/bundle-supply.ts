import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { BowlineError, TransientError } from '@bowline/runtime';
import { Parser, type ReadEntry } from 'tar';
import { blobPath, METADATA, ORDER_FILE, TARGETS } from '../layout.ts';
import { sizesOf } from '../manifest.ts';
import {
  MAX_ENTRIES,
  MAX_MANIFEST_BYTES,
  MAX_RELEASE_BYTES,
  type ReleaseManifest,
} from '../manifest-schema.ts';
import type { Reply } from '../transport/http-mirror.ts';
import type { ContentStore } from './content-store.ts';
import type { Content } from './download.ts';
import type { Place, Supply } from './supply.ts';

/** Metadata, manifest and order of a bundle, together. */
const MAX_HEAD_BYTES = 4 * MAX_MANIFEST_BYTES;
/** What tar needs of each entry: header, a long name, padding. */
const MAX_BUNDLE_BYTES = MAX_RELEASE_BYTES + MAX_HEAD_BYTES + 2 * MAX_ENTRIES * 4096;

/** How compressed files begin. */
const COMPRESSED = [
  { name: 'gzip', begins: [0x1f, 0x8b] },
  { name: 'zstd', begins: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'bzip2', begins: [0x42, 0x5a, 0x68] },
  { name: 'xz', begins: [0xfd, 0x37, 0x7a, 0x58] },
];

export interface BundleSupply extends Supply {
  /** The signed order that came with it, compact JWS; undefined if none did. */
  order(until: AbortSignal): Promise<string | undefined>;
  /** Whether there is a place for every content of a release, which one that was cut off lacks. @throws TransientError `bundle-broken` */
  mustBeWhole(manifest: ReleaseManifest, until: AbortSignal): Promise<void>;
}

interface Head {
  /** What is small, by its path. */
  files: Map<string, Buffer>;
  /** Bytes of everything else, by its path. */
  sizes: Map<string, number>;
}

/**
 * A bundle: one tar file with what an update server would serve for one release, e.g. on a stick. It is believed no more than
 * a server is: the same metadata, the same hashes. Nothing is unpacked but contents that were asked for by their hash, into the
 * content store; every other entry is skipped, whatever it claims to be.
 */
export function bundleSupply(file: string): BundleSupply {
  let head: Promise<Head> | undefined;
  const readHead = (until: AbortSignal) => (head ??= headOf(file, until));

  const place: Place = {
    url: `bundle ${file}`,
    get: async (path) =>
      replyOf((await readHead(new AbortController().signal)).files.get(decodeURIComponent(path))),
  };

  async function contents(
    wanted: readonly Content[],
    store: ContentStore,
    came: (bytes: number) => void,
    until: AbortSignal,
  ): Promise<void> {
    const missing = new Map(wanted.map((content) => [blobPath(content.sha256), content]));
    await eachEntry(file, until, async (entry) => {
      const content = missing.get(entry.path);
      if (content === undefined || entry.type !== 'File' || entry.size !== content.size) return false;
      if (await take(content, entry, store, came)) missing.delete(entry.path);
      return true;
    });
    for (const [path, content] of missing)
      if (content.size > 0 || !(await take(content, [], store, came)))
        throw new TransientError(
          'fetch-broken',
          `${file} lacks ${path}, or holds another content in its place`,
        );
  }

  return {
    places: async (until) => (await readHead(until), [place]),
    contents,
    order: async (until) => (await readHead(until)).files.get(ORDER_FILE)?.toString('utf8').trim(),
    mustBeWhole: async (manifest, until) => {
      const { sizes } = await readHead(until);
      for (const [sha256, size] of sizesOf(manifest))
        if (sizes.get(blobPath(sha256)) !== size) throw broken(file, `lacks ${blobPath(sha256)}`);
    },
    close: () => {},
  };
}

/** @returns whether it was the content that its hash promises. */
async function take(
  { sha256, size }: Content,
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  store: ContentStore,
  came: (bytes: number) => void,
): Promise<boolean> {
  const partial = await store.openPartial(sha256, size);
  try {
    await partial.restart();
    for await (const piece of pieces) {
      await partial.append(piece);
      came(piece.length);
    }
    if (partial.finish(sha256)) return true;
    came(-partial.bytes);
    await partial.restart();
    return false;
  } finally {
    await partial.close();
  }
}

async function headOf(file: string, until: AbortSignal): Promise<Head> {
  const head: Head = { files: new Map(), sizes: new Map() };
  let bytes = 0;
  await eachEntry(file, until, async (entry) => {
    const ours =
      entry.path === ORDER_FILE || [METADATA, TARGETS].some((folder) => entry.path.startsWith(`${folder}/`));
    if (entry.type !== 'File') return false;
    if (!ours) {
      head.sizes.set(entry.path, entry.size);
      return false;
    }
    bytes += entry.size;
    if (bytes > MAX_HEAD_BYTES) throw broken(file, `has more than ${MAX_HEAD_BYTES} bytes of metadata`);
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    head.files.set(entry.path, Buffer.concat(chunks));
    return true;
  });
  return head;
}

/**
 * Reads the archive once; entries come one after the other.
 *
 * @param use returns false for an entry that it did not read.
 * @throws TransientError `bundle-broken`; what `use` throws; the reason of `until`.
 */
async function eachEntry(
  file: string,
  until: AbortSignal,
  use: (entry: ReadEntry & AsyncIterable<Buffer>) => Promise<boolean>,
): Promise<void> {
  let entries = 0;
  let fault: unknown;
  const stop = new AbortController();
  const tasks: Promise<void>[] = [];
  const parser = new Parser({ strict: true, maxMetaEntrySize: 65_536 });
  parser.on('entry', (entry: ReadEntry) => {
    entries += 1;
    const task = async () => {
      if (entries > 2 * MAX_ENTRIES) throw broken(file, 'has too many entries');
      if (!(await use(entry as ReadEntry & AsyncIterable<Buffer>))) entry.resume();
    };
    tasks.push(
      task().catch((error: unknown) => {
        fault ??= error;
        entry.resume();
        stop.abort();
      }),
    );
  });
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    await mustBePlain(file, handle).catch(async (error: unknown) => {
      await handle.close();
      throw error;
    });
    await pipeline(handle.createReadStream({ start: 0 }), parser as unknown as NodeJS.WritableStream, {
      signal: AbortSignal.any([until, stop.signal]),
    });
    await Promise.all(tasks);
  } catch (error) {
    until.throwIfAborted();
    fault ??=
      error instanceof BowlineError
        ? error
        : broken(file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (fault !== undefined) throw fault;
}

/**
 * The parser would unpack what is compressed by itself, in this process, and a stick may claim terabytes in a few megabytes;
 * how many it may be, the signed metadata in it say only after that.
 *
 * @throws TransientError `bundle-compressed`, `bundle-broken`
 */
async function mustBePlain(file: string, handle: FileHandle): Promise<void> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw broken(file, 'is no file');
  if (stat.size > MAX_BUNDLE_BYTES) throw broken(file, `is larger than ${MAX_BUNDLE_BYTES} bytes`);
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  const packed = COMPRESSED.find(({ begins }) => begins.every((byte, at) => buffer[at] === byte));
  if (packed === undefined) return;
  throw new TransientError(
    'bundle-compressed',
    `${file} is compressed (${packed.name}): unpack it, and bring the tar file that comes out`,
  );
}

const broken = (file: string, why: string, cause?: unknown) =>
  new TransientError('bundle-broken', `${file} ${why}`, { cause });

function replyOf(content: Buffer | undefined): Reply {
  return {
    status: content === undefined ? 404 : 200,
    header: () => undefined,
    body: (async function* () {
      if (content !== undefined) yield content;
    })(),
    drop: () => {},
  };
}
