import { SAMPLE_QUALITIES, SEVERITIES } from '@bowline/messages/names';
import { EpochMs, JsonObject, Name } from '@bowline/messages/primitives';
import { Type, type Static } from 'typebox';

/** Bodies of the local ingest. An unknown member is an error: whoever misspells one should hear of it. */
const closed = { additionalProperties: false };

/** A sample as a program on the device hands it in. Without `at` it is of now; with `count` it is an average of so many. */
export const GivenSample = Type.Object(
  {
    series: Name,
    value: Type.Unsafe<number | string | boolean>({ type: ['number', 'string', 'boolean'], maxLength: 1024 }),
    at: Type.Optional(EpochMs),
    unit: Type.Optional(Type.String({ maxLength: 32 })),
    quality: Type.Optional(Type.Enum([...SAMPLE_QUALITIES])),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    min: Type.Optional(Type.Number()),
    max: Type.Optional(Type.Number()),
  },
  closed,
);
export type GivenSample = Static<typeof GivenSample>;

/** An event as a program on the device hands it in. */
export const GivenEventBody = Type.Object(
  {
    kind: Name,
    severity: Type.Optional(Type.Enum([...SEVERITIES])),
    at: Type.Optional(EpochMs),
    data: Type.Optional(JsonObject),
  },
  closed,
);
export type GivenEventBody = Static<typeof GivenEventBody>;
/** With what it left out. */
export type GivenEvent = GivenEventBody & Required<Pick<GivenEventBody, 'severity' | 'data'>>;
