import { Type, type Static } from 'typebox';
import { SAMPLE_QUALITIES } from '../names.ts';
import { Count, EpochMs, Name, Uuid } from '../primitives.ts';

/**
 * One reading. `quality` says whether `at` comes from a synchronised clock (protocol, section 5, Time). With `count` it stands
 * for that many readings around `at`: `value` is their average, `min` and `max` their bounds.
 */
export const Sample = Type.Object({
  series: Name,
  at: EpochMs,
  // One schema with three types, not a union: ajv would try every branch of that and make the errors of those that fail.
  value: Type.Unsafe<number | string | boolean>({ type: ['number', 'string', 'boolean'], maxLength: 1024 }),
  unit: Type.Optional(Type.String({ maxLength: 32 })),
  quality: Type.Optional(Type.Enum([...SAMPLE_QUALITIES])),
  bootId: Type.Optional(Uuid),
  monoMs: Type.Optional(Type.Number({ minimum: 0 })),
  count: Type.Optional(Count),
  min: Type.Optional(Type.Number()),
  max: Type.Optional(Type.Number()),
});
export type Sample = Static<typeof Sample>;

export const Telemetry = Type.Object({ samples: Type.Array(Sample, { minItems: 1, maxItems: 10000 }) });
export type Telemetry = Static<typeof Telemetry>;
