import { Type, type Static } from 'typebox';

const MIB = 1024 * 1024;

const KeyFile = (role: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      localOnly: true,
      description: `key that is for ${role} in the trust bundle`,
    }),
  );

const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });
const perSecond = (fallback: number) =>
  Type.Number({ exclusiveMinimum: 0, default: fallback, description: 'and a second after that' });

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
    audit: Type.Object(
      {
        fileBytes: Type.Integer({
          minimum: 4096,
          maximum: 1024 * MIB,
          default: 16 * MIB,
          unit: 'bytes',
          description: 'of one file of the audit log; then the next is begun',
        }),
        files: count(64, 1, 10_000, 'files of the audit log; the oldest go first'),
      },
      { additionalProperties: false, default: {} },
    ),
    rate: Type.Object(
      {
        signaturesBurst: count(100, 1, 1_000_000, 'requests of one operator at once'),
        signaturesPerSecond: perSecond(1),
        refusalsBurst: count(
          20,
          1,
          1_000_000,
          'refusals of one operator, or of strangers at one address, at once',
        ),
        refusalsPerSecond: perSecond(0.1),
      },
      { additionalProperties: false, default: {} },
    ),
    publicUrl: Type.Optional(
      Type.String({
        pattern: '^(https://[^/?#@]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:\\d+)?)$',
        localOnly: true,
        description:
          'origin by which browsers reach its page, of a proxy with TLS; default: where it listens',
      }),
    ),
    approvals: Type.Object(
      {
        validMs: Type.Integer({
          minimum: 1000,
          maximum: 3_600_000,
          default: 600_000,
          unit: 'ms',
          description: 'the code of an approval is good for so long',
        }),
        most: count(1000, 1, 100_000, 'approvals that are remembered; the oldest go first'),
      },
      { additionalProperties: false, default: {} },
    ),
    infoFile: Type.Optional(
      Type.String({ minLength: 1, localOnly: true, description: 'written once it listens: { url }' }),
    ),
  },
  { additionalProperties: false },
);
export type SignerConfig = Static<typeof SignerConfig>;
