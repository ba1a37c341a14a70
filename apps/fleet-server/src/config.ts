import { Type, type Static } from 'typebox';

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600 * 1000;
const GIB = 1024 * MIB;

const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });
const milliseconds = (fallback: number, maximum: number, description: string) =>
  Type.Integer({ minimum: 0, maximum, default: fallback, unit: 'ms', description });
const bytes = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, unit: 'bytes', description });
const section = <T extends Record<string, Parameters<typeof Type.Object>[0][string]>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false, default: {} });

const Host = Type.String({ minLength: 1, maxLength: 253, localOnly: true });
const File = Type.String({ minLength: 1, localOnly: true });
const Port = Type.Integer({ minimum: 0, maximum: 65535, localOnly: true });

/** Everything that can be set of fleet-server. Keys marked `localOnly` name paths and listeners. */
export const ServerConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: "the server's own folder: store, keys, token",
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
    listen: section({
      host: Type.String({ ...Host, default: '127.0.0.1', description: 'loopback unless said otherwise' }),
      port: Type.Integer({ ...Port, default: 7300, description: '0: any free one' }),
    }),
    host: Type.Optional(Type.String({ ...Host, description: 'short for listen.host' })),
    port: Type.Optional(Type.Integer({ ...Port, description: 'short for listen.port' })),
    tlsCert: Type.Optional(
      Type.String({ ...File, description: 'PEM: the certificate and what leads to its root' }),
    ),
    tlsKey: Type.Optional(Type.String({ ...File, description: 'PEM: its private key, mode 0600' })),
    tlsClientCa: Type.Optional(
      Type.String({
        ...File,
        description: 'PEM: who signs the certificates by which devices may prove themselves',
      }),
    ),
    tlsRequireClientCert: Type.Boolean({
      default: false,
      localOnly: true,
      description:
        'a link needs a client certificate of tlsClientCa that names its device; people and enrolments need none',
    }),
    allowInsecure: Type.Boolean({
      default: false,
      localOnly: true,
      description: 'listens beyond loopback without TLS: whoever is on the way reads and changes everything',
    }),
    publicUrl: Type.Optional(
      Type.String({
        pattern: '^https?://[^/]+/?$',
        localOnly: true,
        description:
          'origin by which devices know the server, e.g. behind a proxy; default: where it listens',
      }),
    ),
    consoleDir: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: 'files of the console; default: fleet-console/dist',
      }),
    ),
    signerUrl: Type.Optional(
      Type.String({
        pattern: '^(https://[^/?#@]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:\\d+)?)$',
        localOnly: true,
        description:
          'origin of the signer (apps/signer): the console sends people to its page for access; default: none',
      }),
    ),
    releasesDir: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: 'repository of releases, served to devices under /releases/; default: none is',
      }),
    ),
    infoFile: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: 'written once it listens: { url, operatorTokenFile }',
      }),
    ),
    link: section({
      maxLinks: count(10_000, 1, 1_000_000, 'links at a time'),
      heartbeatSeconds: count(30, 5, 300, 'between heartbeats of a device'),
      frameBytes: bytes(64 * 1024, 4096, MIB, 'largest frame from a device'),
      compression: Type.Boolean({
        default: true,
        description: 'whether devices that offer it may pack what they send; limits count what comes out',
      }),
      inflightMessages: count(16_384, 1, 1_000_000, 'of a device, without a receipt'),
      inflightBytes: bytes(8 * MIB, 4096, 256 * MIB, 'of a device, without a receipt'),
      replayPerSecond: count(2000, 1, 1_000_000, 'pace of lane history, messages a second'),
      reconnectMinMs: milliseconds(250, 3_600_000, 'devices come back after a restart between this'),
      reconnectMaxMs: milliseconds(5000, 3_600_000, 'and this'),
      attemptsBurst: count(20, 1, 100_000, 'attempts from one address to connect as one device, at once'),
      attemptsPerSecond: Type.Number({
        exclusiveMinimum: 0,
        default: 1,
        description: 'and a second after that',
      }),
    }),
    keep: section({
      resultsBytes: bytes(MIB, 4096, 1024 * MIB, 'of a device, lane results'),
      eventsBytes: bytes(4 * MIB, 4096, 1024 * MIB, 'of a device, lane events'),
      telemetryBytes: bytes(8 * MIB, 4096, 1024 * MIB, 'of a device, lane telemetry'),
      historyBytes: bytes(32 * MIB, 4096, 1024 * MIB, 'of a device, lane history'),
      minFreeBytes: bytes(64 * MIB, 0, 2 ** 50, 'of the disk; below it no device is let in'),
      orders: count(1000, 1, 100_000, 'of a device; the oldest that ended go first'),
      orderBytes: bytes(16 * MIB, 512 * 1024, 1024 * MIB, 'of a device, all its orders together'),
      waitingOrders: count(200, 1, 10_000, 'of a device, that it has not receipted'),
    }),
    compaction: section({
      smallestFile: bytes(
        64 * MIB,
        0,
        2 ** 50,
        'of the store; at start a larger one half of which is free is made smaller',
      ),
      largestContent: bytes(4 * GIB, 0, 2 ** 50, 'of the store; with more in it copying would take too long'),
    }),
    backup: section({
      folder: Type.Optional(Type.String({ ...File, description: 'default: backups in stateDir' })),
      keep: count(7, 1, 1000, 'backups; the oldest go first'),
      rootKey: Type.Boolean({
        default: false,
        localOnly: true,
        description:
          'whether backups hold root-key.pem too, where there is one: who has it signs what he likes',
      }),
    }),
    http: section({
      headerBytes: bytes(16 * 1024, 1024, 64 * 1024, 'of all headers of a request'),
      headersWithinMs: milliseconds(
        10_000,
        600_000,
        'a client that trickles its headers, or its TLS handshake, is cut off',
      ),
      requestWithinMs: milliseconds(30_000, 600_000, 'and one that trickles its body'),
      maxConnections: count(20_000, 10, 1_000_000, 'links, streams and calls at a time'),
      idleMs: milliseconds(120_000, 3_600_000, 'a connection on which nothing moves is cut off'),
    }),
    enrolment: section({
      burst: count(50, 1, 100_000, 'requests of one address at once'),
      perSecond: Type.Number({ exclusiveMinimum: 0, default: 5, description: 'and a second after that' }),
      caFile: Type.Optional(
        Type.String({
          minLength: 1,
          localOnly: true,
          description: 'PEM of the authority that enrolled devices are to trust for TLS, and no other',
        }),
      ),
    }),
    trustedProxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      default: [],
      localOnly: true,
      description: 'addresses or subnets of proxies that name the caller by X-Forwarded-For',
    }),
    operators: section({
      fileToken: Type.Boolean({
        default: true,
        description: 'whether the token in STATE_DIR/operator-token is good, as an admin',
      }),
      callsBurst: count(500, 1, 1_000_000, 'calls of one token at once'),
      callsPerSecond: Type.Number({
        exclusiveMinimum: 0,
        default: 100,
        description: 'and a second after that',
      }),
      failuresBurst: count(
        20,
        1,
        1_000_000,
        'calls of one address without a good token, at once; of each known token id by itself',
      ),
      failuresPerSecond: Type.Number({
        exclusiveMinimum: 0,
        default: 0.2,
        description: 'and a second after that',
      }),
      sessionIdleMs: milliseconds(
        3_600_000,
        30 * DAY_MS,
        'a session of the console ends this long after its last call',
      ),
      sessionMaxMs: milliseconds(12 * 3_600_000, 30 * DAY_MS, 'and this long after it began'),
    }),
    audit: section({
      maxBytes: bytes(16 * MIB, 4096, 1024 * MIB, 'the oldest entries go first'),
      maxAgeMs: milliseconds(400 * DAY_MS, 10_000 * DAY_MS, 'what is older goes'),
    }),
    tunnels: section({
      maxSessions: count(1000, 1, 100_000, 'ssh sessions that have not ended'),
      maxSockets: count(1000, 2, 100_000, 'of tunnels at a time, both sides together'),
      attemptsBurst: count(60, 1, 100_000, 'attempts of one address to open a tunnel, at once'),
      attemptsPerSecond: Type.Number({
        exclusiveMinimum: 0,
        default: 5,
        description: 'and a second after that',
      }),
      waitingBytes: bytes(256 * 1024, 64 * 1024, 64 * MIB, 'of one direction of a stream, not yet taken'),
      stallMs: milliseconds(300_000, 3_600_000, 'a stream of which one side takes nothing for so long ends'),
      keepEndedMs: milliseconds(3_600_000, 30 * DAY_MS, 'so long a session that has ended is still known'),
    }),
    streams: count(100, 1, 10_000, 'operators that follow the live stream at a time'),
    commitDeadlineMs: milliseconds(30_000, 600_000, 'a commit that takes longer ends the process'),
  },
  { additionalProperties: false },
);
export type ServerConfig = Static<typeof ServerConfig>;
