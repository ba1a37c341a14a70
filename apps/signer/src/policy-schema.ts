import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false };
const Names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 1000, description });
const bounds = {
  audiences: Names('device ids and group:NAME; "*" for all'),
  maxSeconds: Type.Integer({
    minimum: 1,
    maximum: 7 * 24 * 3600,
    unit: 's',
    description: 'longest life, from now to exp',
  }),
};

/** What one operator may have signed, by the type of the order; a type that is absent: nothing. */
const Operator = Type.Object(
  {
    tokenSha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'of the bearer token, hex' }),
    command: Type.Optional(Type.Object({ ...bounds, names: Names('of commands; "*" for all') }, closed)),
    softwareUpdate: Type.Optional(Type.Object({ ...bounds, channels: Names('"*" for all') }, closed)),
    sshAccess: Type.Optional(Type.Object({ ...bounds, users: Names('system users; "*" for all') }, closed)),
  },
  closed,
);

/** The signer's own policy file: operators by name. */
export const SignerPolicy = Type.Object(
  {
    operators: Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$' }), Operator, {
      maxProperties: 1000,
      additionalProperties: false,
    }),
  },
  closed,
);
export type SignerPolicy = Static<typeof SignerPolicy>;

export const SignatureRequest = Type.Object(
  {
    type: Type.Enum(['command', 'softwareUpdate', 'sshAccess']),
    claims: Type.Record(Type.String(), Type.Unknown()),
  },
  closed,
);
export type SignatureRequest = Static<typeof SignatureRequest>;
