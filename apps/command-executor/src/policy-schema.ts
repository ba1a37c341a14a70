import { Type, type Static } from 'typebox';

/** The device-local policy file, as far as this app reads it; other sections are other apps'. */
export const PolicyFile = Type.Object({
  commands: Type.Optional(
    Type.Object(
      { allow: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 1000 }) },
      { additionalProperties: false },
    ),
  ),
});
export type PolicyFile = Static<typeof PolicyFile>;
