export { parseEnrolmentToken, type EnrolmentToken } from './enrolment-token.ts';
export { PROOF_LEEWAY_SECONDS, signEnrolmentProof, verifyEnrolmentProof } from './enrolment-proof.ts';
export { createKey, keyFromPem, loadOrCreateKey, thumbprint, type SigningKey } from './key.ts';
export {
  LINK_TOKEN_LEEWAY_SECONDS,
  LINK_TOKEN_SECONDS,
  signLinkToken,
  verifyLinkToken,
  type LinkTokenClaims,
} from './link-token.ts';
export { signTrustBundle, verifyTrustBundle } from './trust-bundle.ts';
