export { refreshMetadata, type TufClientOptions, type VerifiedMetadata } from './tuf-client.ts';
export type { Floor } from './floor.ts';
export { trustedFiles, type Trusted, type TrustedStore } from './trusted-file.ts';
