import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import type { ReleaseManifest } from '@bowline/releases';
import type { ReleasePlan, ReleaseSource } from '../supply/release-source.ts';

/** Releases from a folder: `FOLDER/NAME/VERSION/` is a tree, `VERSION.json` beside it says more about it. */
export function folderSource(folder: string, store: string): ReleaseSource {
  /** A test makes one release unreachable, or only its contents. */
  const mustBeThere = (name: string, flag: string) => {
    if (existsSync(join(folder, name, flag))) throw new TransientError('source-away', 'not reachable');
  };
  return {
    async resolve({ name = '', version = '' }) {
      if (existsSync(join(folder, 'unreachable'))) throw new TransientError('source-away', 'not reachable');
      mustBeThere(name, 'away');
      const tree = join(folder, name, version);
      if (!existsSync(tree)) throw new RejectedError('no-such-release', `there is no ${name} ${version}`);
      return planOf(tree, name, version);
    },
    newest: () => Promise.resolve([]),
    async fetch(plan, progress, until) {
      mustBeThere(plan.name, 'contents-away');
      mkdirSync(store, { recursive: true });
      let bytes = 0;
      for (const { path, sha256, size } of plan.manifest.files) {
        until.throwIfAborted();
        const blob = join(store, sha256);
        if (!existsSync(blob)) {
          copyFileSync(join(folder, plan.name, plan.version, path), `${blob}.part`);
          copyFileSync(`${blob}.part`, blob);
        }
        bytes += size;
        progress({ bytes, totalBytes: plan.totalBytes, bytesPerSecond: 1000 });
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async stage(plan, tree) {
      for (const { path, sha256, executable } of plan.manifest.files) {
        const blob = join(store, sha256);
        if (!existsSync(blob)) throw new TransientError('content-missing', `${path} is not here`);
        mkdirSync(dirname(join(tree, path)), { recursive: true });
        copyFileSync(blob, join(tree, path));
        chmodSync(join(tree, path), executable === true ? 0o755 : 0o644);
      }
    },
    async discard() {
      rmSync(store, { recursive: true, force: true });
    },
  };
}

function planOf(tree: string, name: string, version: string): ReleasePlan {
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mode } = statSync(path);
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      return { path: relative(tree, path), size, sha256, executable: (mode & 0o100) !== 0 };
    })
    .toSorted((a, b) => a.path.localeCompare(b.path));
  const more = existsSync(`${tree}.json`)
    ? (JSON.parse(readFileSync(`${tree}.json`, 'utf8')) as Partial<ReleaseManifest>)
    : {};
  const manifest: ReleaseManifest = {
    format: 1,
    kind: 'app',
    name,
    version,
    channel: 'stable',
    files,
    ...more,
  };
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  return {
    name,
    version,
    kind: manifest.kind as ReleasePlan['kind'],
    digest: createHash('sha256').update(JSON.stringify(manifest)).digest('hex'),
    files: files.length,
    totalBytes,
    fetchBytes: totalBytes,
    reusedBytes: 0,
    diskBytes: totalBytes * 2,
    inodes: files.length,
    manifest,
  };
}
