import { createHash, type Hash } from 'node:crypto';
import { constants, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, readFileIfPresent, TransientError, writeFileDurably } from '@bowline/runtime';

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_RDONLY } = constants;
const PIECE_BYTES = 256 * 1024;
const HASH = /^[0-9a-f]{64}$/;

/** How a half download can be gone on with. */
export interface Origin {
  mirror: string;
  /** Strong ETag of what the first half was part of. */
  etag: string;
}

/**
 * What was fetched for a release that is not laid out yet, each content under its hash: `content/SHA256` whole, and
 * `content/partial/SHA256` what has come of it so far. Nothing here is trusted for lying here: a partial is hashed again before
 * it is gone on with, and whole content again when it is laid out. So nothing of it needs to be flushed to the disk either.
 */
export class ContentStore {
  readonly #folder: string;
  readonly #partial: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#partial = join(folder, 'partial');
    mkdirSync(this.#partial, { recursive: true, mode: 0o700 });
  }

  fileOf(sha256: string): string {
    return join(this.#folder, sha256);
  }

  has(sha256: string, size: number): boolean {
    return statSync(this.fileOf(sha256), { throwIfNoEntry: false })?.size === size;
  }

  /** Bytes that have come of these contents, none of which is whole. */
  partialBytes(wanted: ReadonlyMap<string, number>): number {
    let bytes = 0;
    for (const [sha256, size] of wanted)
      bytes += Math.min(size, statSync(join(this.#partial, sha256), { throwIfNoEntry: false })?.size ?? 0);
    return bytes;
  }

  /** Removes what is damaged. */
  drop(sha256: string): void {
    rmSync(this.fileOf(sha256), { force: true });
  }

  /** Keeps these contents alone: another release was given up. */
  keepOnly(wanted: ReadonlyMap<string, number>): void {
    for (const folder of [this.#folder, this.#partial])
      for (const name of readdirSync(folder)) {
        const [sha256 = ''] = name.split('.');
        if (name !== 'partial' && !(HASH.test(sha256) && wanted.has(sha256)))
          rmSync(join(folder, name), { recursive: true, force: true });
      }
  }

  clear(): void {
    this.keepOnly(new Map());
  }

  /** Opens what has come of a content so far, hashed. */
  async openPartial(sha256: string, size: number): Promise<Partial> {
    const file = join(this.#partial, sha256);
    const handle = await open(file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    const partial = new Partial(handle, file, this.fileOf(sha256));
    try {
      const { size: bytes } = await handle.stat();
      if (bytes > size) await partial.restart();
      else await partial.rehash(bytes);
      return partial;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

/** A content on its way. */
export class Partial {
  readonly #handle: FileHandle;
  readonly #file: string;
  readonly #target: string;
  #hash: Hash = createHash('sha256');
  #bytes = 0;

  constructor(handle: FileHandle, file: string, target: string) {
    this.#handle = handle;
    this.#file = file;
    this.#target = target;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get origin(): Origin | undefined {
    try {
      const { mirror, etag } = JSON.parse(readFileIfPresent(`${this.#file}.origin`) ?? '{}') as Origin;
      return typeof mirror === 'string' && typeof etag === 'string' ? { mirror, etag } : undefined;
    } catch {
      return undefined;
    }
  }

  set origin(origin: Origin | undefined) {
    if (origin === undefined) rmSync(`${this.#file}.origin`, { force: true });
    else writeFileDurably(`${this.#file}.origin`, JSON.stringify(origin));
  }

  async rehash(bytes: number): Promise<void> {
    for await (const piece of pieces(this.#handle)) this.#hash.update(piece);
    this.#bytes = bytes;
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#bytes = 0;
    this.origin = undefined;
  }

  /** @throws TransientError `no-space` */
  async append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await noSpaceTold(() =>
        this.#handle.write(bytes, at, bytes.length - at, this.#bytes + at),
      );
      at += bytesWritten;
    }
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** Whether everything that has come is the content of this hash; then it is whole from now on. */
  finish(sha256: string): boolean {
    if (this.#hash.copy().digest('hex') !== sha256) return false;
    renameSync(this.#file, this.#target);
    this.origin = undefined;
    return true;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Whether a file has this content; its size is asked first. */
export async function hasContent(file: string, sha256: string, size: number): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(file, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EIO')) return false;
    throw error;
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size !== size) return false;
    const hash = createHash('sha256');
    for await (const piece of pieces(handle)) hash.update(piece);
    return hash.digest('hex') === sha256;
  } finally {
    await handle.close();
  }
}

/** An open file from its beginning; each piece is good until the next one is asked for. */
export async function* pieces(handle: FileHandle, pieceBytes = PIECE_BYTES): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** @throws TransientError `no-space` in place of ENOSPC and EDQUOT */
export async function noSpaceTold<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (!hasCode(cause, 'ENOSPC', 'EDQUOT')) throw cause;
    throw new TransientError('no-space', 'the disk is full: make room on it', { cause });
  }
}
