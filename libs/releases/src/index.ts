export { BLOBS, blobPath, manifestPath, METADATA, targetOf, TARGETS } from './layout.ts';
export { checkManifest, decodeManifest, foldersOf, sizesOf, totalBytes } from './manifest.ts';
export {
  MAX_ENTRIES,
  MAX_MANIFEST_BYTES,
  MAX_RELEASE_BYTES,
  ReleaseKind,
  ReleaseName,
  ReleaseVersion,
  Sha256,
  type ReleaseFile,
  type ReleaseLink,
  type ReleaseManifest,
  type ReleaseProbe,
} from './manifest-schema.ts';
export { linkTarget, pathNames } from './tree-path.ts';
