import type { StoreFiles } from '@bowline/record-store';
import { existsSync, rmSync, statfsSync } from 'node:fs';
import type { Lane } from '@bowline/messages';
import { writeFileSynchronously } from '@bowline/runtime';

const MIB = 2 ** 20;
const LARGEST_DEFAULT_RESERVE = 16 * MIB;
/** Of a small file system the reserve takes no more than this share. */
const RESERVE_SHARE = 1 / 20;
/** Of the reserve, what the ballast takes: room that can be given up at once. */
const BALLAST_SHARE = 1 / 8;
/** The file system is asked at most this often, or after as many bytes. */
const ASK_EVERY_MS = 100;
const ASK_EVERY_BYTES = MIB;

/**
 * Keeps room on the disk for what must never fail: new work is refused while there still is some, samples first, then
 * events and new orders. Acks of accepted orders and everything that deletes is always tried; a ballast file is given up
 * for it when nothing else is left.
 */
export class DiskRoom {
  readonly #files: StoreFiles;
  readonly #monotonicMs: () => number;
  readonly #reserveBytes: number;
  readonly #ballastBytes: number;
  #freeBytes = Number.POSITIVE_INFINITY;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #writtenSince = 0;

  constructor(files: StoreFiles, monotonicMs: () => number, reserveBytes: number | undefined) {
    this.#files = files;
    this.#monotonicMs = monotonicMs;
    this.#reserveBytes =
      reserveBytes ?? Math.min(LARGEST_DEFAULT_RESERVE, this.#fileSystem().total * RESERVE_SHARE);
    this.#ballastBytes = Math.floor(this.#reserveBytes * BALLAST_SHARE);
  }

  /** Whether new work of that kind may take so many bytes. */
  admits(kind: Lane | 'order', bytes: number): boolean {
    if (kind === 'results') return true;
    const kept = kind === 'events' || kind === 'order' ? this.#reserveBytes / 2 : this.#reserveBytes;
    return this.#free() - bytes >= kept;
  }

  /** After a failed write: whether a full disk explains it. LMDB tells both as an I/O error. */
  isFull(): boolean {
    this.#forget();
    return this.#free() < this.#reserveBytes;
  }

  wrote(bytes: number): void {
    this.#writtenSince += bytes;
    if (this.#writtenSince >= ASK_EVERY_BYTES) this.#forget();
  }

  /** Gives up what was kept for the worst: first the damaged store of long ago, then the ballast. */
  release(): void {
    rmSync(this.#files.quarantine, { force: true });
    rmSync(this.#files.ballast, { force: true });
    this.#forget();
  }

  /** Lays the ballast in again once there is plenty of room. */
  restore(): void {
    if (existsSync(this.#files.ballast) || this.#free() < 2 * this.#reserveBytes + this.#ballastBytes) return;
    try {
      // Written, not sparse: the room must be taken.
      writeFileSynchronously(this.#files.ballast, Buffer.alloc(this.#ballastBytes, 0xb0));
    } catch {
      rmSync(this.#files.ballast, { force: true });
    } finally {
      this.#forget();
    }
  }

  #free(): number {
    const now = this.#monotonicMs();
    if (now - this.#askedAtMs >= ASK_EVERY_MS) {
      this.#freeBytes = this.#fileSystem().free;
      this.#askedAtMs = now;
      this.#writtenSince = 0;
    }
    return this.#freeBytes - this.#writtenSince;
  }

  #forget(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
  }

  #fileSystem(): { free: number; total: number } {
    const { bavail, blocks, bsize } = statfsSync(this.#files.folder);
    return { free: bavail * bsize, total: blocks * bsize };
  }
}
