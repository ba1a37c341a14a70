export { refreshMetadata, type TufClientOptions, type VerifiedMetadata } from './tuf-client.ts';
export { trustedFiles, type Floor, type Trusted, type TrustedStore } from './trusted-file.ts';
