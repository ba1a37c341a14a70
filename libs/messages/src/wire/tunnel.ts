import { Type, type Static } from 'typebox';
import { Ed25519Jwk } from '../http/enrolment.ts';
import { CompactJws, DeviceId, EpochMs, Seq, SessionId, Text } from '../primitives.ts';

/** Server → device on the tunnel: the socket is standing by (protocol, section 8). */
export const TunnelAttached = Type.Object({
  type: Type.Literal('attached'),
  nextToken: Type.String({ minLength: 1, maxLength: 2048 }),
  expiresAt: EpochMs,
});
export type TunnelAttached = Static<typeof TunnelAttached>;

/** Server → device: an operator is on the other end; every later frame is binary and opaque. */
export const TunnelPaired = Type.Object({
  type: Type.Literal('paired'),
  stream: Seq,
  operator: Text,
  remote: Text,
});
export type TunnelPaired = Static<typeof TunnelPaired>;

/** OpenSSH's fingerprint of a public key without its `SHA256:`: base64, unpadded. */
export const Fingerprint = Type.String({ pattern: '^[A-Za-z0-9+/]{43}$' });

/** What the device key signs for a session: which host key is its own. */
export const HostKeyProof = Type.Object({
  sessionId: SessionId,
  hostKeySha256: Fingerprint,
  iat: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'seconds since 1970' }),
});
export type HostKeyProof = Static<typeof HostKeyProof>;

/** What an authority of the operators' signs: which key is the device's own. It passes no server. */
export const DeviceKeyCertificate = Type.Object({
  deviceId: DeviceId,
  key: Ed25519Jwk,
  iat: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'seconds since 1970' }),
});
export type DeviceKeyCertificate = Static<typeof DeviceKeyCertificate>;

/** `result` of the `started` ack of an `sshAccess`: the host key as in `known_hosts` (type and base64), and the proof of it. */
export const SessionStarted = Type.Object({
  hostKey: Type.String({ pattern: '^ssh-ed25519 [A-Za-z0-9+/=]{1,1024}$' }),
  proof: CompactJws,
});
export type SessionStarted = Static<typeof SessionStarted>;
