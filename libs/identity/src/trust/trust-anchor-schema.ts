import { Type, type Static } from 'typebox';
import { DeviceId, Name } from '@bowline/messages/primitives';

/** The file by which whoever set up this device tells its apps whom to trust and which device they are on. */
export const TrustAnchor = Type.Object(
  {
    rootThumbprint: Type.String({
      pattern: '^[A-Za-z0-9_-]{43}$',
      description: 'RFC 7638 thumbprint of the root key that signed the first trust bundle',
    }),
    deviceId: Type.Optional(DeviceId),
    groups: Type.Optional(Type.Array(Name, { maxItems: 64 })),
    since: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          'when the device was made to forget who it was: what apps were told before counts no more',
      }),
    ),
  },
  { additionalProperties: false },
);
export type TrustAnchor = Static<typeof TrustAnchor>;
