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
   * The next store becomes the current one: from here on either is there, whole, whatever happens. It may be open; its own
   * lock file, named after its first name, goes, so that the next "next" does not share it. Its content is on the disk:
   * every one ends with a commit, and LMDB's fdatasync is of the whole file.
   */
  promoteNext(): void {
    renameSync(this.next, this.current);
    rmSync(lmdbLock(this.next), { force: true });
    syncFolder(this.folder);
  }
}

const lmdbLock = (file: string): string => `${file}-lock`;
