import { Type, type Static } from 'typebox';
import { CompactJws, DeviceId, EpochMs, Name, Text, Uuid } from '../primitives.ts';
import { TrustBundleJws } from '../wire/trust.ts';

/**
 * A public Ed25519 key (RFC 8037). 43 characters hold two bits more than the 32 bytes: they must be 0, so that one key has one
 * spelling and one thumbprint.
 */
export const Ed25519Jwk = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('Ed25519'),
  x: Type.String({ pattern: '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$' }),
});
export type Ed25519Jwk = Static<typeof Ed25519Jwk>;

export const EnrolmentDevice = Type.Object({
  serial: Type.Optional(Text),
  model: Type.Optional(Text),
  os: Text,
  arch: Text,
  bootId: Uuid,
  agentVersion: Text,
});
export type EnrolmentDevice = Static<typeof EnrolmentDevice>;

const EnrolmentToken = Type.String({ minLength: 1, maxLength: 512 });

/** Body of `POST /v1/enrolments`, at most 16 KiB (protocol, section 7). */
export const EnrolmentRequest = Type.Object({
  token: Type.Optional(EnrolmentToken),
  publicKey: Ed25519Jwk,
  proof: CompactJws,
  device: EnrolmentDevice,
});
export type EnrolmentRequest = Static<typeof EnrolmentRequest>;

/** What {@link EnrolmentRequest}'s `proof` signs. `aud` is the server's origin, `iat` in seconds. */
export const EnrolmentProof = Type.Object({
  token: Type.Optional(EnrolmentToken),
  device: EnrolmentDevice,
  aud: Type.String({ minLength: 1, maxLength: 2048 }),
  iat: Type.Number(),
});
export type EnrolmentProof = Static<typeof EnrolmentProof>;

/** The answer 201. `link` is the URL of the device's WebSocket; `ca` a PEM, when the server pins one. */
export const EnrolmentResponse = Type.Object({
  deviceId: DeviceId,
  name: Text,
  groups: Type.Array(Name, { maxItems: 64 }),
  serverId: Text,
  link: Type.String({ pattern: '^wss?://', maxLength: 2048 }),
  trust: TrustBundleJws,
  ca: Type.Optional(Type.String({ maxLength: 65536 })),
  serverTime: EpochMs,
});
export type EnrolmentResponse = Static<typeof EnrolmentResponse>;

/** What the signatures of a trust bundle cover. `threshold` counts root keys. */
export const TrustBundle = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  keys: Type.Object({
    root: Type.Array(Ed25519Jwk, { minItems: 1, maxItems: 16 }),
    update: Type.Array(Ed25519Jwk, { maxItems: 64 }),
    access: Type.Array(Ed25519Jwk, { maxItems: 64 }),
    command: Type.Array(Ed25519Jwk, { maxItems: 64 }),
  }),
  threshold: Type.Integer({ minimum: 1, maximum: 16 }),
  tufRootSha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
});
export type TrustBundle = Static<typeof TrustBundle>;

/** RFC 9457 problem document, as every HTTP error of ours answers. */
export const ProblemDocument = Type.Object({
  type: Type.Optional(Text),
  title: Text,
  status: Type.Integer(),
  detail: Type.Optional(Text),
  code: Type.Optional(Name),
  serverTime: Type.Optional(EpochMs),
});
export type ProblemDocument = Static<typeof ProblemDocument>;
