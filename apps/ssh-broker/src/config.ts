import { memberConfig, wayOutConfig } from '@bowline/device-app/config';
import { Type, type Static } from 'typebox';

const MIB = 1024 * 1024;
const path = (description: string) => Type.String({ minLength: 1, localOnly: true, description });
const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });

/** Keys marked `localOnly` name paths, programs, hosts and trust: the cloud can never set them (docs/architecture.md). */
export const BrokerConfig = Type.Object(
  {
    ...memberConfig({
      stateDir:
        "this app's own folder: lock, audit journal, open sessions, recordings, trust bundle, used signatures",
      policyFile: 'for which users sessions may be opened; without it for none',
    }),
    runFolder: Type.Optional(
      path('one folder a session, wiped at every start; on a device on tmpfs. Default: `run` in stateDir'),
    ),
    sshdPath: Type.String({ minLength: 1, default: '/usr/sbin/sshd', localOnly: true }),
    sshKeygenPath: Type.String({ minLength: 1, default: '/usr/bin/ssh-keygen', localOnly: true }),
    userCaFile: Type.Optional(
      path("public key of the authority that signs operators' certificates, for grants with a principal"),
    ),
    tunnelHosts: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 260 }), {
        maxItems: 16,
        localOnly: true,
        description: 'HOST or HOST:PORT of the relays to which a tunnel may be opened; default any',
      }),
    ),
    tlsCaFile: Type.Optional(path("PEM of the authority that the relay's certificate is to be of")),
    ...wayOutConfig(),
    allowInsecure: Type.Boolean({
      default: false,
      localOnly: true,
      description: 'tunnels by ws:// beyond loopback: SSH stays encrypted, the token does not',
    }),
    maxSessions: count(4, 1, 64, 'sessions at a time; a user has one'),
    maxStreams: count(8, 1, 64, 'streams of one session at a time that a grant may ask for'),
    grantsBurst: count(10, 1, 1000, 'sessions that may begin at once'),
    grantsEveryMs: Type.Integer({
      minimum: 1,
      maximum: 3_600_000,
      default: 6000,
      unit: 'ms',
      description: 'and one more each so often after that',
    }),
    streamsBurst: count(30, 1, 1000, 'connections of one session that may begin at once'),
    streamsEveryMs: Type.Integer({
      minimum: 1,
      maximum: 3_600_000,
      default: 1000,
      unit: 'ms',
      description: 'and one more each so often after that; whoever is too fast waits',
    }),
    refusedBurst: count(20, 1, 1000, 'refused grants that have an entry of the audit each'),
    refusedEveryMs: Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      default: 600_000,
      unit: 'ms',
      description: 'and one more entry each so often after that, which says how many there were',
    }),
    auditBytes: Type.Integer({
      minimum: 4096,
      maximum: 256 * MIB,
      default: 4 * MIB,
      unit: 'bytes',
      description: 'of the audit journal; then it is set aside, and one such is kept',
    }),
    recordBytes: Type.Integer({
      minimum: 4096,
      maximum: 256 * MIB,
      default: 16 * MIB,
      unit: 'bytes',
      description: 'of the recording of one terminal; at the bound the terminal ends',
    }),
    recordingsKept: count(50, 1, 10_000, 'recordings; the oldest go first'),
    recordingsOfSession: count(16, 1, 1000, 'recordings of one session that are kept, the first of them'),
  },
  { additionalProperties: false },
);
export type BrokerConfig = Static<typeof BrokerConfig>;
