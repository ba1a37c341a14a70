import { TransientError } from '@bowline/runtime';
import { blobPath } from '../layout.ts';
import type { Mirror, Reply } from '../transport/http-mirror.ts';
import type { ContentStore, Partial } from './content-store.ts';

const STRONG_ETAG = /^"[^"]{1,256}"$/;
const CONTENT_RANGE = /^bytes ([0-9]+)-([0-9]+)\/([0-9]+)$/;

export interface Content {
  sha256: string;
  size: number;
}

export interface DownloadPorts {
  store: ContentStore;
  /** How much of the content is stored now, bytes: it may fall. */
  at(bytes: number): void;
  /** After each piece that came over the network: may hold the reading up. */
  pace(bytes: number, until: AbortSignal): Promise<void>;
}

const broken = (why: string) => new TransientError('fetch-broken', why);

/**
 * One attempt to bring a content into the store, on from where an earlier one ended. What was asked for is checked before
 * anything of the answer is used (RFC 9110, sections 13.1.5 and 14); what decides is the hash in the end.
 *
 * @param whole ask for all of it anew: this mirror's ranges are no good.
 * @throws TransientError `fetch-failed`, `fetch-stalled`, `fetch-refused`, `fetch-broken`, `no-space`
 */
export async function download(
  content: Content,
  mirror: Mirror,
  ports: DownloadPorts,
  until: AbortSignal,
  whole = false,
): Promise<void> {
  const partial = await ports.store.openPartial(content.sha256, content.size);
  try {
    if (whole) await partial.restart();
    ports.at(partial.bytes);
    if (partial.bytes < content.size) {
      const reply = await ask(content, mirror, partial, until);
      try {
        await judge(reply, content, mirror, partial);
        ports.at(partial.bytes);
        await take(reply, content, partial, ports, until);
      } finally {
        reply.drop();
      }
    }
    if (partial.finish(content.sha256)) return;
    await partial.restart();
    throw broken(`${mirror.url} sends another content than ${content.sha256}`);
  } finally {
    await partial.close();
  }
}

function ask({ sha256 }: Content, mirror: Mirror, partial: Partial, until: AbortSignal): Promise<Reply> {
  const headers: Record<string, string> = {};
  if (partial.bytes > 0) {
    headers['range'] = `bytes=${partial.bytes}-`;
    const { origin } = partial;
    // Another mirror has other tags; there the hash alone says whether the halves belong together.
    if (origin?.mirror === mirror.url) headers['if-range'] = origin.etag;
  }
  return mirror.get(blobPath(sha256), headers, until);
}

async function judge(
  reply: Reply,
  { size, sha256 }: Content,
  mirror: Mirror,
  partial: Partial,
): Promise<void> {
  const { status } = reply;
  const etag = reply.header('etag');
  const { origin } = partial;
  if (status === 206) {
    if (partial.bytes === 0) throw broken(`${mirror.url} sends a part though all was asked for`);
    const [, from, to, total] = CONTENT_RANGE.exec(reply.header('content-range') ?? '') ?? [];
    if (Number(from) !== partial.bytes || Number(to) !== size - 1 || Number(total) !== size)
      throw broken(`${mirror.url} sends another range than ${partial.bytes}-${size - 1}/${size}`);
    if (origin?.mirror === mirror.url && etag !== undefined && etag !== origin.etag)
      throw broken(`${mirror.url} goes on with another version of ${sha256}`);
  } else if (status === 200) {
    if (partial.bytes > 0) await partial.restart();
  } else if (status === 416) {
    await partial.restart();
    throw broken(`${mirror.url} has less of ${sha256} than it sent before`);
  } else throw new TransientError('fetch-refused', `${mirror.url} answers ${status} to ${blobPath(sha256)}`);

  const length = reply.header('content-length');
  if (length !== undefined && Number(length) !== size - partial.bytes)
    throw broken(`${mirror.url} announces ${length} bytes of ${sha256} instead of ${size - partial.bytes}`);
  if (etag !== undefined && STRONG_ETAG.test(etag)) {
    if (origin?.etag !== etag || origin.mirror !== mirror.url) partial.origin = { mirror: mirror.url, etag };
  } else if (origin !== undefined) partial.origin = undefined;
}

/** Stops at the signed length, whatever comes after it. */
async function take(
  reply: Reply,
  { size, sha256 }: Content,
  partial: Partial,
  { at, pace }: DownloadPorts,
  until: AbortSignal,
): Promise<void> {
  for await (const chunk of reply.body) {
    const piece = chunk.subarray(0, size - partial.bytes);
    await partial.append(piece);
    at(partial.bytes);
    await pace(piece.length, until);
    if (partial.bytes === size) return;
  }
  if (partial.bytes < size) throw broken(`${sha256} ended after ${partial.bytes} of ${size} bytes`);
}
