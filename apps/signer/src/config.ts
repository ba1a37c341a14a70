import { Type, type Static } from 'typebox';

const KeyFile = (role: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      localOnly: true,
      description: `key that is for ${role} in the trust bundle`,
    }),
  );

/** Everything that can be set of the signer. */
export const SignerConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: 'its own folder: lock and audit log',
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
    policyFile: Type.String({ minLength: 1, localOnly: true, description: 'who may have what signed' }),
    keys: Type.Object(
      { command: KeyFile('commands'), update: KeyFile('updates'), access: KeyFile('access') },
      {
        additionalProperties: false,
        default: {},
        description: 'files of mode 0600; none: signs none of them',
      },
    ),
    host: Type.String({
      pattern: '^(127(\\.\\d{1,3}){3}|::1|localhost)$',
      default: '127.0.0.1',
      localOnly: true,
      description: 'loopback only: from elsewhere through an ssh tunnel, or a proxy with TLS',
    }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 7350, localOnly: true }),
    infoFile: Type.Optional(
      Type.String({ minLength: 1, localOnly: true, description: 'written once it listens: { url }' }),
    ),
  },
  { additionalProperties: false },
);
export type SignerConfig = Static<typeof SignerConfig>;
