/**
 * Where the parts of a release lie, below one folder that any static file server serves:
 *
 *     metadata/timestamp.json, N.root.json, N.snapshot.json, N.targets.json     TUF, consistent snapshots
 *     targets/NAME/SHA256.VERSION.json                                          manifests, as TUF clients ask for them
 *     blobs/AB/SHA256                                                           contents of files
 */
export const METADATA = 'metadata';
export const TARGETS = 'targets';
export const BLOBS = 'blobs';

/** The TUF target of a release. */
export const targetOf = (name: string, version: string): string => `${name}/${version}.json`;

/** The versions of a release among the paths of targets. */
export const versionsOf = (paths: readonly string[], name: string): string[] =>
  paths
    .filter((path) => path.startsWith(`${name}/`) && path.endsWith('.json'))
    .map((path) => path.slice(name.length + 1, -'.json'.length));

/** Its file: TUF puts the hash before the name. */
export const manifestPath = (name: string, version: string, sha256: string): string =>
  `${TARGETS}/${name}/${sha256}.${version}.json`;

export const blobPath = (sha256: string): string => `${BLOBS}/${sha256.slice(0, 2)}/${sha256}`;

/** In a bundle: the signed order that it comes with. */
export const ORDER_FILE = 'order.jws';
