import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { allPids, syncFolder } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';

const DIGEST = /^[0-9a-f]{64}$/;
const CURRENT = 'current';

/** The releases of one program: `FOLDER/DIGEST/` each, and `FOLDER/current`, a link to the one in use. */
export class ReleaseTrees {
  readonly folder: string;

  constructor(releasesDir: string, name: string) {
    this.folder = join(releasesDir, name);
  }

  treeOf(digest: string): string {
    return join(this.folder, digest);
  }

  /** Whether a path lies in one of them. */
  holds(path: string): boolean {
    return (
      existsSync(this.folder) && DIGEST.test(relative(realpathSync(this.folder), path).split('/')[0] ?? '')
    );
  }

  /** Digest that `current` leads to; undefined if nothing is in place. */
  current(): string | undefined {
    try {
      const target = readlinkSync(join(this.folder, CURRENT));
      return DIGEST.test(target) ? target : undefined;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** In one step: whoever follows `current` finds the old tree or the new one, after a power cut too. */
  pointTo(digest: string): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o755 });
    const beside = join(this.folder, `.${CURRENT}.new`);
    rmSync(beside, { force: true });
    symlinkSync(digest, beside);
    renameSync(beside, join(this.folder, CURRENT));
    syncFolder(this.folder);
  }

  /** Nothing is in place any more. */
  pointToNothing(): void {
    rmSync(join(this.folder, CURRENT), { force: true });
    if (existsSync(this.folder)) syncFolder(this.folder);
  }

  /** Every tree that is there, the newest first. */
  trees(): string[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder)
      .filter((name) => DIGEST.test(name))
      .map((name) => ({ name, at: statSync(join(this.folder, name)).mtimeMs }))
      .toSorted((a, b) => b.at - a.at)
      .map(({ name }) => name);
  }

  /** Removes all trees but those to be kept and those that a process works in: it may yet open files of its own. */
  prune(keep: readonly (string | undefined)[]): string[] {
    const inUse = workingFolders();
    const gone = this.trees().filter(
      (digest) => !keep.includes(digest) && !inUse.some((folder) => isWithin(folder, this.treeOf(digest))),
    );
    for (const digest of gone) {
      rmSync(this.treeOf(digest), { recursive: true, force: true });
      rmSync(`${this.treeOf(digest)}.json`, { force: true });
    }
    return gone;
  }
}

export const isWithin = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** Working folder and program of every process of this machine, as far as we may see them. */
function workingFolders(): string[] {
  const folders: string[] = [];
  for (const pid of allPids()) {
    for (const link of ['cwd', 'exe']) {
      try {
        folders.push(readlinkSync(`/proc/${pid}/${link}`));
      } catch {
        // gone meanwhile, a thread of the kernel, or not ours to see
      }
    }
  }
  return folders;
}
