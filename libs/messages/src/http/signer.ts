import { Type, type Static } from 'typebox';
import { SSH_CAPABILITIES } from '../names.ts';
import { DeviceId, EpochMs, OperatorName } from '../primitives.ts';

/** A session that a person wants to be granted, before there is a session at a relay or a key for it. */
export const AccessWish = Type.Object({
  deviceId: DeviceId,
  user: Type.String({ pattern: '^[a-z_][a-z0-9_-]{0,31}$', description: 'system user of the session' }),
  reason: Type.String({ minLength: 1, maxLength: 512 }),
  seconds: Type.Integer({ minimum: 60, maximum: 7 * 24 * 3600, description: 'life of the session' }),
  capabilities: Type.Array(Type.Enum([...SSH_CAPABILITIES]), {
    minItems: 1,
    maxItems: SSH_CAPABILITIES.length,
    uniqueItems: true,
  }),
  streams: Type.Integer({ minimum: 1, maximum: 64, description: 'connections at a time' }),
  idleSeconds: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    description: 'it ends when nothing moves for so long',
  }),
  record: Type.Boolean({ description: 'what its terminals show is kept' }),
});
export type AccessWish = Static<typeof AccessWish>;

/** What a signer answers to the code of an approval: what it is good for, once, until `expiresAt`. */
export const AccessApproval = Type.Object({ operator: OperatorName, wish: AccessWish, expiresAt: EpochMs });
export type AccessApproval = Static<typeof AccessApproval>;
