import { publishedVersions } from '@bowline/releases/published';
import { ConfigError, RejectedError } from '@bowline/runtime';
import type { RolloutAim } from '@bowline/server-sdk';

const MOST_TOLD = 5;

/**
 * Devices would find out one by one what can be told at once. Only of the repository that this server holds itself: where it has
 * none, or nothing was ever published in it, devices have their releases from elsewhere.
 *
 * @param folder of the repository.
 * @throws RejectedError `release-unpublished`
 */
export function mustBePublished(
  folder: string | undefined,
  { name, version, digest }: Pick<RolloutAim, 'name' | 'version' | 'digest'>,
): void {
  if (folder === undefined) return;
  const versions = read(folder, name);
  const isIt = (each: { version: string; digest: string }) =>
    (version ?? each.version) === each.version && (digest ?? each.digest) === each.digest;
  if (versions === undefined || versions.some(isIt)) return;
  const wanted = [name, version ?? '', digest === undefined ? '' : `with the digest ${digest}`];
  const latest = versions.slice(-MOST_TOLD).map((each) => each.version);
  const known = latest.length === 0 ? `no release ${name} at all` : `of ${name} ${latest.join(', ')}`;
  throw new RejectedError(
    'release-unpublished',
    `${wanted.filter((word) => word !== '').join(' ')} is not published in the repository of this server, which has ${known}: publish it first (bowline release build, bowline release publish), or say that devices have it from elsewhere (allowUnpublished; --unpublished)`,
  );
}

function read(folder: string, name: string): ReturnType<typeof publishedVersions> {
  try {
    return publishedVersions(folder, name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new RejectedError('release-unpublished', error.message, { cause: error });
  }
}
