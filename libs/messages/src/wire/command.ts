import { Type, type Static } from 'typebox';
import { CompactJws, DurationMs, EpochMs, JsonObject, Name } from '../primitives.ts';

export const Command = Type.Object(
  {
    name: Type.Optional(Name),
    params: Type.Optional(JsonObject),
    timeoutMs: Type.Optional(DurationMs),
    signed: Type.Optional(CompactJws),
    expiresAt: Type.Optional(EpochMs),
  },
  { anyOf: [{ required: ['name'] }, { required: ['signed'] }] },
);
export type Command = Static<typeof Command>;
