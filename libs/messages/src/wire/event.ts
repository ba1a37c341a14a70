import { Type, type Static } from 'typebox';
import { EpochMs, JsonObject, Name } from '../primitives.ts';

export const SEVERITIES = ['debug', 'info', 'warning', 'error', 'critical'] as const;

export const Event = Type.Object({
  kind: Name,
  severity: Type.Enum([...SEVERITIES]),
  at: EpochMs,
  data: JsonObject,
});
export type Event = Static<typeof Event>;
