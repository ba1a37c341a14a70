import { readFileIfPresent } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import { decodeManifest, type ReleaseManifest } from '@bowline/releases';
import type { Ledger } from '../core/ledger.ts';
import { ReleaseTrees } from '../kinds/release-trees.ts';
import type { InstalledReleases } from '../supply/release-source.ts';

/** What stands on this device under a name, as the journal says, and the trees whose files need not be fetched again. */
export const installedReleases =
  (ledger: Ledger, releasesDir: string): InstalledReleases =>
  (name) => {
    const installed = ledger.installed(name);
    if (installed === undefined) return undefined;
    const { version, minSecureVersion } = installed;
    const own = new ReleaseTrees(releasesDir, name);
    const digests = [installed.digest, ...own.trees().filter((digest) => digest !== installed.digest)];
    const trees = digests.flatMap((digest) => {
      const folder = own.treeOf(digest);
      const manifest = readManifest(`${folder}.json`);
      return manifest === undefined ? [] : [{ folder, manifest }];
    });
    return { version, trees, ...(minSecureVersion === undefined ? {} : { minSecureVersion }) };
  };

/** The manifest that lies beside a tree. One that does not read is none: more is fetched then. */
export function readManifest(file: string): ReleaseManifest | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return decodeManifest(text);
  } catch (error) {
    if (!(error instanceof BowlineError)) throw error;
    return undefined;
  }
}
