import { Type, type Static } from 'typebox';
import { EpochMs } from '../primitives.ts';

/** The next trust bundle: JWS in general JSON serialisation (protocol, sections 4 and 7). */
export const TrustBundleJws = Type.Object({
  payload: Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 65_536 }),
  signatures: Type.Array(
    Type.Object({ protected: Type.String({ maxLength: 1024 }), signature: Type.String({ maxLength: 128 }) }),
    {
      minItems: 1,
      maxItems: 32,
    },
  ),
});
export type TrustBundleJws = Static<typeof TrustBundleJws>;

export const Trust = Type.Object({ trust: TrustBundleJws, expiresAt: Type.Optional(EpochMs) });
export type Trust = Static<typeof Trust>;
