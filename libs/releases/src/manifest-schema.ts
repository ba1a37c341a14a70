import { Type, type Static } from 'typebox';

/** Most entries of a release: files, folders and links together. */
export const MAX_ENTRIES = 100_000;
/** Most bytes of a manifest: about 150 an entry. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;
/** Most bytes of all files of a release. */
export const MAX_RELEASE_BYTES = 64 * 1024 ** 3;
const MAX_PATH_BYTES = 1024;

/** Judged further by `checkManifest`: no `.` or `..`, nothing twice, no file where a folder is needed. */
const TreePath = Type.String({
  minLength: 1,
  maxLength: MAX_PATH_BYTES,
  description: 'relative to the top of the release, `/` between names',
});

export const ReleaseName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  description: 'of the program: the folder releases/NAME on the device',
});
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const ReleaseVersion = Type.String({
  maxLength: 64,
  pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$',
  description: 'semantic version 2.0.0',
});
export const ReleaseKind = Type.String({ pattern: '^(app|self|module:[A-Za-z0-9][A-Za-z0-9._-]{0,63})$' });

export const ReleaseFile = Type.Object({
  path: TreePath,
  size: Type.Integer({ minimum: 0, maximum: MAX_RELEASE_BYTES, unit: 'bytes' }),
  sha256: Sha256,
  executable: Type.Optional(Type.Boolean({ description: 'mode 0755 instead of 0644; no other mode exists' })),
});
export type ReleaseFile = Static<typeof ReleaseFile>;

export const ReleaseLink = Type.Object({
  path: TreePath,
  target: Type.String({
    minLength: 1,
    maxLength: MAX_PATH_BYTES,
    description: 'relative, inside the release',
  }),
});
export type ReleaseLink = Static<typeof ReleaseLink>;

/** How the updater asks a new release whether it is well; without it, only whether its process stays up. */
export const ReleaseProbe = Type.Object({
  command: Type.Optional(
    Type.Array(Type.String({ maxLength: 4096 }), {
      minItems: 1,
      maxItems: 64,
      description: 'program and arguments, the program relative to the release; well if it ends with 0',
    }),
  ),
  http: Type.Optional(
    Type.String({
      maxLength: 1024,
      pattern: '^http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,5})?/',
      description: 'URL on loopback; well if it answers 2xx',
    }),
  ),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000, unit: 'ms' })),
});
export type ReleaseProbe = Static<typeof ReleaseProbe>;

/**
 * What a release is. Its SHA-256 is the identity of the release; TUF's targets metadata signs it, so everything in it is
 * signed, each file by its hash. A field that a device does not know is ignored.
 */
export const ReleaseManifest = Type.Object({
  format: Type.Literal(1),
  kind: ReleaseKind,
  name: ReleaseName,
  version: ReleaseVersion,
  channel: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$' }),
  files: Type.Array(ReleaseFile, { maxItems: MAX_ENTRIES }),
  folders: Type.Optional(
    Type.Array(TreePath, { maxItems: MAX_ENTRIES, description: 'those that would be empty otherwise' }),
  ),
  links: Type.Optional(Type.Array(ReleaseLink, { maxItems: MAX_ENTRIES })),
  minSecureVersion: Type.Optional(ReleaseVersion),
  allowDowngrade: Type.Optional(
    Type.Boolean({ description: 'it may take the place of a newer version, if the order says so too' }),
  ),
  probe: Type.Optional(ReleaseProbe),
  notes: Type.Optional(Type.String({ maxLength: 4096, description: 'for people' })),
});
export type ReleaseManifest = Static<typeof ReleaseManifest>;
