/** Everything of this lib that is compiled ahead of time into src/generated. */
import { ReleaseManifest } from './manifest-schema.ts';

export const schemas = { manifest: { manifest: ReleaseManifest } };
