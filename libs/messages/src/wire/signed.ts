import { Type, type Static } from 'typebox';
import { DurationMs, JsonObject, MessageId, Name, SessionId, Text } from '../primitives.ts';

/** Times inside a JWS are seconds, as in JWT (protocol, section 6, "Signed parts"). */
const Seconds = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'seconds since 1970',
});

/** A device id, or `group:NAME` of a group that the device knows itself to be in. */
const Audience = Type.String({
  pattern: '^([A-Za-z0-9._-]{1,64}|group:[A-Za-z0-9][A-Za-z0-9._:/-]{0,127})$',
});

const TokenId = Type.String({ minLength: 1, maxLength: 128 });

const claimed = { aud: Audience, exp: Seconds, iat: Type.Optional(Seconds), nbf: Type.Optional(Seconds) };

/** What the `signed` of a command covers. Its `orderId` is what makes it good once. */
export const SignedCommand = Type.Object({
  ...claimed,
  orderId: MessageId,
  name: Name,
  params: Type.Optional(JsonObject),
  timeoutMs: Type.Optional(DurationMs),
});
export type SignedCommand = Static<typeof SignedCommand>;

/** What the `order` of a `softwareUpdate` covers: who may have what, from which channel. Good once by its `jti`. */
export const SignedUpdate = Type.Object({
  ...claimed,
  jti: TokenId,
  /** Binds it to one order; without it it is good for any one order, e.g. one for each device of a group. */
  orderId: Type.Optional(MessageId),
  channel: Name,
  /** Which release: the update metadata must know the same. An order without both is refused by the updater. */
  name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' })),
  version: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  /** SHA-256 of the release's manifest, hexadecimal: then no other release of that name and version will do. */
  digest: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
  /** It may take the place of a newer version, if the release says so too. */
  allowDowngrade: Type.Optional(Type.Boolean()),
  /** Only the share `percent` of its devices, chosen by SHA-256 of `SALT:DEVICE_ID`: more under the same salt adds devices. */
  rollout: Type.Optional(
    Type.Object({
      percent: Type.Number({ minimum: 0, maximum: 100 }),
      salt: Type.String({ minLength: 1, maxLength: 128 }),
    }),
  ),
  /** Nothing is fetched or changed: the device answers what the update would take, and what its policy says. */
  preview: Type.Optional(Type.Boolean()),
  /** It may be tried though it has failed on the device before. */
  retryFailed: Type.Optional(Type.Boolean()),
  by: Type.Optional(Text),
  reason: Type.Optional(Text),
});
export type SignedUpdate = Static<typeof SignedUpdate>;

/** What the `grant` of an `sshAccess` covers (protocol, section 5). Good once by its `jti`. */
export const SshGrant = Type.Object(
  {
    ...claimed,
    nbf: Seconds,
    jti: TokenId,
    orderId: Type.Optional(MessageId),
    sessionId: SessionId,
    user: Type.String({ pattern: '^[a-z_][a-z0-9_-]{0,31}$', description: 'system user of the session' }),
    publicKey: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })),
    principal: Type.Optional(Text),
    capabilities: Type.Array(Name, { maxItems: 32 }),
    streams: Type.Integer({ minimum: 1, maximum: 64 }),
    idleSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }),
    reason: Text,
    by: Text,
    record: Type.Optional(Type.Boolean()),
    command: Type.Optional(
      Type.String({
        pattern: '^[^\\u0000-\\u001f\\u007f]{1,1024}$',
        description: 'the one command that the session may run, whatever its client asks for',
      }),
    ),
  },
  { anyOf: [{ required: ['publicKey'] }, { required: ['principal'] }] },
);
export type SshGrant = Static<typeof SshGrant>;

/** Claims by the type of the order that carries them. */
export const SIGNED = { command: SignedCommand, softwareUpdate: SignedUpdate, sshAccess: SshGrant } as const;
export type SignedType = keyof typeof SIGNED;
export type SignedClaims<T extends SignedType> = Static<(typeof SIGNED)[T]>;
