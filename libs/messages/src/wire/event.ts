import { Type, type Static } from 'typebox';
import { SEVERITIES } from '../names.ts';
import { EpochMs, JsonObject, Name } from '../primitives.ts';

export const Event = Type.Object({
  kind: Name,
  severity: Type.Enum([...SEVERITIES]),
  at: EpochMs,
  data: JsonObject,
});
export type Event = Static<typeof Event>;
