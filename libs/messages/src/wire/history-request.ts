import { Type, type Static } from 'typebox';
import { Count, DurationMs, EpochMs, Name, Text } from '../primitives.ts';

/** from ≤ t < to. `maxBytes` counts decoded bytes. */
export const HistoryRequest = Type.Object({
  kind: Type.Enum(['telemetry', 'logs', 'journal']),
  from: EpochMs,
  to: EpochMs,
  series: Type.Optional(Type.Array(Name, { maxItems: 1024 })),
  resolutionMs: Type.Optional(DurationMs),
  app: Type.Optional(Name),
  filter: Type.Optional(Text),
  maxBytes: Type.Optional(Count),
  expiresAt: Type.Optional(EpochMs),
});
export type HistoryRequest = Static<typeof HistoryRequest>;
