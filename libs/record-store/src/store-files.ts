import { linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncFolder } from '@bowline/runtime';

/** The files of a store's folder. */
export class StoreFiles {
  readonly folder: string;
  readonly current: string;
  /** A whole store that is being made and will replace the current one; what a crash leaves of it means nothing. */
  readonly next: string;
  readonly lock: string;
  /** The last damaged store that was replaced, for whoever wants to look into it. */
  readonly quarantine: string;
  readonly ballast: string;
  /** Not at first: an earlier process may have ended between a rename and its sync. */
  #settled = false;

  constructor(folder: string) {
    this.folder = folder;
    this.current = join(folder, 'store.mdb');
    this.next = join(folder, 'next.mdb');
    this.quarantine = join(folder, 'damaged.mdb');
    this.ballast = join(folder, 'ballast');
    this.lock = join(folder, 'lock');
  }

  prepare(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.removeNext();
  }

  removeNext(): void {
    rmSync(this.next, { force: true });
    rmSync(lmdbLock(this.next), { force: true });
  }

  /** Gives the current file a second name, under which it stays when it is replaced. */
  quarantineCurrent(): void {
    rmSync(this.quarantine, { force: true });
    linkSync(this.current, this.quarantine);
  }

  /**
   * The next store becomes the current one: from here on either is there, whole, whatever happens. Its content is on the
   * disk: every one ends with a commit, and LMDB's fdatasync is of the whole file. Throws only if nothing has changed. Which
   * of the two has the name after a power cut is open until {@link settle} has returned: nothing may be promised before.
   */
  renameNext(): void {
    renameSync(this.next, this.current);
    this.#settled = false;
  }

  /** As {@link renameNext}, settled. If it throws, the name may have changed hands all the same. */
  promoteNext(): void {
    this.renameNext();
    this.settle();
  }

  /**
   * Makes durable which file has the name of the current store; does nothing if it is. The next store may be open under its
   * new name; its own lock file, named after its first one, goes, so that the next "next" does not share it.
   */
  settle(): void {
    if (this.#settled) return;
    rmSync(lmdbLock(this.next), { force: true });
    syncFolder(this.folder);
    this.#settled = true;
  }
}

const lmdbLock = (file: string): string => `${file}-lock`;
