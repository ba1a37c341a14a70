import { targetOf, versionsOf } from '../layout.ts';
import { readStanding } from './repository-files.ts';

export interface PublishedVersion {
  version: string;
  /** SHA-256 of its manifest. */
  digest: string;
}

/**
 * The versions of a release that the repository in this folder offers to devices; what is drafted there is not offered yet.
 *
 * @returns undefined: nothing was ever published there.
 * @throws ConfigError `repository-broken`
 */
export function publishedVersions(folder: string, name: string): PublishedVersion[] | undefined {
  const targets = readStanding(folder).targets?.signed.targets;
  if (targets === undefined) return undefined;
  return versionsOf(Object.keys(targets), name).map((version) => ({
    version,
    digest: targets[targetOf(name, version)]?.hashes['sha256'] ?? '',
  }));
}
