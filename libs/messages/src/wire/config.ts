import { Type, type Static } from 'typebox';
import { Count, DurationMs, EpochMs, JsonObject } from '../primitives.ts';

export const Config = Type.Object({
  version: Count,
  sections: Type.Record(Type.String(), JsonObject),
  confirmWithinMs: Type.Optional(DurationMs),
  expiresAt: Type.Optional(EpochMs),
});
export type Config = Static<typeof Config>;
