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
export { readTrustBundle, signTrustBundle, trustSigners, verifyTrustBundle } from './trust/trust-bundle.ts';
export { addSignature, draftOf, type TrustDraft } from './trust/trust-draft.ts';
export { extendChain, readChain, type ChainedBundle } from './trust/trust-chain.ts';
export { readTrustAnchor, writeTrustAnchor } from './trust/trust-anchor.ts';
export type { TrustAnchor } from './trust/trust-anchor-schema.ts';
export { HeldTrust, type DeviceIdentity } from './trust/held-trust.ts';
export {
  ROLE_OF,
  checkTime,
  signClaims,
  unverifiedClaims,
  verifyClaims,
  LONGEST_SIGNED_SECONDS,
  type OrderRole,
} from './orders/signed-claims.ts';
export { OrderGate, type Admission, type GateHub, type OrderGateOptions } from './orders/order-gate.ts';
export { isInRollout, type Rollout } from './orders/rollout-share.ts';
export { SpentOrders, type SpentOrder, type SpentPhase } from './orders/spent-orders.ts';
export {
  AUDIT_FILES,
  AUDIT_START,
  auditHash,
  followAuditChain,
  readAuditEntry,
  type AuditRecord,
} from './audit-chain.ts';
export { createKeyFile, isEncrypted, readKeyFile } from './key-file.ts';
export { ownedFileFault, readOwnedFile } from './owned-file.ts';
export { reportEvent, type EventPorts } from './report-event.ts';
export { signHostKeyProof, verifyHostKeyProof } from './host-key-proof.ts';
export { signDeviceKeyCertificate, verifyDeviceKeyCertificate } from './device-key-certificate.ts';
