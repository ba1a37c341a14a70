import { type Environment, jsonOf, type StoreFiles, type Writes } from '@bowline/record-store';
import { InternalError } from '@bowline/runtime/errors';
import type { DiskRoom } from './disk-room.ts';
import { stateKey } from './keys.ts';
import { diskFull } from './limits.ts';
import { stateOnly, type StoreState } from './state.ts';

/** Errors of the operating system that LMDB passes on by number: EIO, ENOSPC. */
const DISK_ERRORS = [5, 28];
type Room = Pick<DiskRoom, 'isFull' | 'wrote' | 'release'>;
type Files = Pick<StoreFiles, 'settle'>;

/** A value alone costs a page or two beside its bytes. */
const PAGES_BYTES = 16 * 1024;

/**
 * Writes one transaction at a time and says truly whether it is on disk. After a full disk LMDB refuses every larger write,
 * even when there is room again, until a small one has gone through: so that comes first.
 */
export class DurableWriter {
  readonly #env: () => Pick<Environment, 'get' | 'commit'>;
  readonly #room: Room;
  readonly #files: Files;
  #needsHealing = false;

  constructor(env: () => Pick<Environment, 'get' | 'commit'>, room: Room, files: Files) {
    this.#env = env;
    this.#room = room;
    this.#files = files;
  }

  /**
   * @param before the state that is on disk; found unchanged if this fails.
   * @throws RejectedError `disk-full`: nothing of it was stored. InternalError `commit-failed`: the end of this process.
   */
  async write(writes: Writes, before: StoreState): Promise<void> {
    this.settle();
    if (this.#needsHealing) await this.#heal(before);
    const cause = await this.#attempt(writes);
    if (cause === undefined) {
      this.#room.wrote(sizeOf(writes));
      return;
    }
    this.#checkExplained(cause, before);
    this.#needsHealing = true;
    await this.#heal(before);
    throw diskFull(cause);
  }

  /**
   * A commit into a file that a power cut takes the name from would be lost: what was renamed is made durable first.
   *
   * @throws as {@link write}.
   */
  settle(): void {
    try {
      this.#files.settle();
    } catch {
      const isFull = this.#room.isFull();
      if (isFull) this.#room.release();
      try {
        this.#files.settle();
      } catch (cause) {
        if (isFull) throw diskFull(cause);
        throw new InternalError('commit-failed', 'the name of the store cannot be made durable', { cause });
      }
    }
  }

  /** The tiny transaction: the state as it is. */
  async #heal(state: StoreState): Promise<void> {
    const tiny = stateOnly(state);
    let cause = await this.#attempt(tiny);
    if (cause !== undefined) {
      this.#checkExplained(cause, state);
      this.#room.release();
      cause = await this.#attempt(tiny);
    }
    if (cause !== undefined) {
      this.#checkExplained(cause, state);
      throw diskFull(cause);
    }
    this.#needsHealing = false;
  }

  /** @returns why it failed, if it did. */
  async #attempt(writes: Writes): Promise<unknown> {
    try {
      await this.#env().commit(writes);
      return undefined;
    } catch (cause) {
      if (cause instanceof InternalError) throw cause;
      return cause;
    }
  }

  /** A full disk is an answer that the callers can live with, as long as it left the state alone; anything else is not. */
  #checkExplained(cause: unknown, before: StoreState): void {
    const code = cause instanceof Error && 'code' in cause ? Number(cause.code) : 0;
    if (DISK_ERRORS.includes(code) && this.#isUntouched(before) && this.#room.isFull()) return;
    throw new InternalError('commit-failed', 'a transaction could not be written', { cause });
  }

  #isUntouched(before: StoreState): boolean {
    try {
      const record = this.#env().get(stateKey());
      return record !== undefined && jsonOf<StoreState>(stateKey(), record)?.commit === before.commit;
    } catch {
      return false; // after a failed write of its meta page LMDB cannot even be read
    }
  }
}

const sizeOf = (writes: Writes): number => {
  let bytes = PAGES_BYTES;
  for (const record of writes.values()) bytes += record?.length ?? 0;
  return bytes;
};
