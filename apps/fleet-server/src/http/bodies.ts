import { Type, type Static } from 'typebox';
import { ORDER_TYPES, ROLES } from '@bowline/messages';
import { Ed25519Jwk } from '@bowline/messages/http/enrolment';
import {
  CompactJws,
  DeviceId,
  JsonObject,
  MessageId,
  Name,
  OperatorName,
  Text,
} from '@bowline/messages/primitives';
import { TrustBundleJws } from '@bowline/messages/wire/trust';

/** Bodies of the operators' API. An unknown member is an error: whoever misspells one should hear of it. */
const body = <T extends Record<string, Parameters<typeof Type.Object>[0][string]>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

const DAY_MS = 24 * 3600 * 1000;
const Groups = Type.Array(Name, { maxItems: 64 });

/** `cancel` has a call of its own. The payload is checked by the schema of its type. */
export const OrderBody = body({
  /** Chosen by whoever signs the order, since it is what the signature covers. */
  orderId: Type.Optional(MessageId),
  type: Type.Enum(ORDER_TYPES.filter((type) => type !== 'cancel')),
  payload: JsonObject,
  expiresInMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 * DAY_MS })),
});
export type OrderBody = Static<typeof OrderBody>;

/** A document for a device, with a section for each app; without `version` the next one. */
export const ConfigBody = body({
  sections: Type.Record(Type.String(), JsonObject),
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  confirmWithinMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 3_600_000 })),
  expiresInMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 * DAY_MS })),
});
export type ConfigBody = Static<typeof ConfigBody>;

export const EnrolmentTokenBody = body({
  deviceId: Type.Optional(DeviceId),
  name: Type.Optional(Text),
  groups: Type.Optional(Groups),
  expiresInMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 365 * DAY_MS })),
  maxUses: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});
export type EnrolmentTokenBody = Static<typeof EnrolmentTokenBody>;

const token = {
  label: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  expiresInMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 10 * 365 * DAY_MS })),
};

export const NewOperatorBody = body({ name: OperatorName, role: Type.Enum([...ROLES]), ...token });
export type NewOperatorBody = Static<typeof NewOperatorBody>;

export const NewOperatorTokenBody = body(token);
export type NewOperatorTokenBody = Static<typeof NewOperatorTokenBody>;

/** What the relay must know of a session; what it may do is in the grant, which the relay neither makes nor judges. */
export const SshSessionBody = body({
  expiresInMs: Type.Integer({ minimum: 1000, maximum: 7 * DAY_MS }),
  streams: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
  user: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
  reason: Type.Optional(Text),
});
export type SshSessionBody = Static<typeof SshSessionBody>;

/** An update order signed for `group:NAME`, with its claim `rollout`: what goes to whom stands in it. */
export const RolloutBody = body({
  order: CompactJws,
  /** It pauses by itself once more than this share of its devices have failed. */
  maxFailedPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  /** No device is in the group yet. */
  allowEmptyGroup: Type.Optional(Type.Boolean()),
  /** Devices have the release from elsewhere than from this server's repository. */
  allowUnpublished: Type.Optional(Type.Boolean()),
});
export type RolloutBody = Static<typeof RolloutBody>;

/** The same order for a larger share, or signed anew. */
export const RolloutStageBody = body({
  order: CompactJws,
  allowUnpublished: Type.Optional(Type.Boolean()),
});
export type RolloutStageBody = Static<typeof RolloutStageBody>;

export const RolloutHaltBody = body({
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
});
export type RolloutHaltBody = Static<typeof RolloutHaltBody>;

export const TrustBody = body({ trust: TrustBundleJws });
export type TrustBody = Static<typeof TrustBody>;

/** A device whose key is known beforehand: it enrols without a token. */
export const NewDeviceBody = body({
  deviceId: DeviceId,
  publicKey: Type.Object(Ed25519Jwk.properties, { additionalProperties: false }),
  name: Type.Optional(Text),
  groups: Type.Optional(Groups),
});
export type NewDeviceBody = Static<typeof NewDeviceBody>;
