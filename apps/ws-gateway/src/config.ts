import { besideProxyConfig } from '@bowline/device-app/config';
import { HUB_APPS } from '@bowline/messages/hub/apps';
import { PROXY_PATTERN } from '@bowline/runtime/proxy';
import { Type, type Static } from 'typebox';

const milliseconds = (fallback: number, description: string, minimum = 0, maximum = 2 ** 31 - 1) =>
  Type.Integer({ minimum, maximum, default: fallback, unit: 'ms', description });

/** No key of the link may take a device off the net for longer: what is pushed is tried out for seconds only. */
const HOUR_MS = 3_600_000;

const DAY_MS = 86_400_000;

/** The wall clock does not count: an age is what has passed for sure since a message was accepted. */
const laneLimits = (messages: number, bytes: number, ageDays: number) =>
  Type.Object(
    {
      messages: Type.Integer({ minimum: 16, default: messages }),
      bytes: Type.Integer({ minimum: 65_536, default: bytes, unit: 'bytes' }),
      ageMs: Type.Integer({
        minimum: 0,
        maximum: 3650 * DAY_MS,
        default: ageDays * DAY_MS,
        unit: 'ms',
        description: 'what has waited longer expires, told by a gap; 0: never',
      }),
    },
    { additionalProperties: false, default: {} },
  );

/** Keys marked `localOnly` name paths, keys, listeners or servers: the cloud can never set them (docs/architecture.md). */
export const GatewayConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: 'folder of the key, the enrolment and the store',
    }),
    hubFolder: Type.String({
      minLength: 1,
      localOnly: true,
      description: 'folder of the hub sockets, one an app',
    }),
    appSocketsFolder: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description:
          "holds one folder an app, made by root with that app's group (0750); without it all sockets are in hubFolder",
      }),
    ),
    appSocketGroups: Type.Optional(
      Type.Object(
        Object.fromEntries(
          HUB_APPS.map((app) => [app, Type.Optional(Type.String({ minLength: 1, localOnly: true }))]),
        ),
        {
          additionalProperties: false,
          localOnly: true,
          description: 'by app, the group (a name or a number) that the folder of its socket must have',
        },
      ),
    ),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
    enrolment: Type.Object(
      {
        server: Type.Optional(Type.String({ pattern: '^https?://', localOnly: true })),
        tokenFile: Type.Optional(
          Type.String({
            localOnly: true,
            description: 'erased once it is spent; default enrolment-token in stateDir',
          }),
        ),
        factoryRoot: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9_-]{43}$',
            localOnly: true,
            description:
              "thumbprint of the fleet's root key, put there in the factory: wins over any token's",
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    link: Type.Object(
      {
        url: Type.Optional(
          Type.String({
            pattern: '^wss?://',
            localOnly: true,
            description: 'address of the link, if not the one told at enrolment: the server has moved',
          }),
        ),
        allowInsecure: Type.Boolean({
          default: false,
          localOnly: true,
          description: 'permit ws:// and http://',
        }),
        caFile: Type.Optional(
          Type.String({
            minLength: 1,
            localOnly: true,
            description: "PEM: authority to be trusted for TLS, instead of the system's",
          }),
        ),
        clientCertFile: Type.Optional(
          Type.String({
            minLength: 1,
            localOnly: true,
            description:
              "PEM: the device's certificate for TLS, with URI:urn:bowline:device:ID among its names",
          }),
        ),
        clientKeyFile: Type.Optional(
          Type.String({ minLength: 1, localOnly: true, description: 'PEM: its private key' }),
        ),
        proxy: Type.Optional(
          Type.String({
            pattern: `^${PROXY_PATTERN}$`,
            localOnly: true,
            description:
              'http(s)://[USER:PASSWORD@]HOST[:PORT]: the way out of this device for link, enrolment, updates and ssh tunnels; TLS stays end to end; without it directly',
          }),
        ),
        ...besideProxyConfig('the proxy'),
        connectDeadlineMs: milliseconds(30_000, 'from the first packet to the finished upgrade', 1, HOUR_MS),
        welcomeDeadlineMs: milliseconds(10_000, 'from hello to welcome (protocol, section 3)', 1, HOUR_MS),
        compression: Type.Boolean({
          default: false,
          description:
            'packs messages above 1 KiB, if the server agrees: about a tenth of the bytes, for some CPU time at both ends',
        }),
        pingAfterMs: milliseconds(
          30_000,
          'nothing received for so long, or for half of deadAfterMs: WebSocket ping',
          1,
          HOUR_MS,
        ),
        deadAfterMs: milliseconds(60_000, 'nothing received for so long: the link is dead', 1, HOUR_MS),
        progressDeadlineMs: milliseconds(
          60_000,
          'something in flight and no receipt for so long: close 4408',
          1,
          HOUR_MS,
        ),
        missedHeartbeats: Type.Integer({
          default: 3,
          minimum: 1,
          maximum: 100,
          description: 'so many heartbeats in a row without an answer: close 4408',
        }),
        probeDeadlineMs: milliseconds(
          5_000,
          'answer to a ping after the network or the clock changed',
          1,
          HOUR_MS,
        ),
        stableAfterMs: milliseconds(60_000, 'a link this old resets the count of attempts', 1, HOUR_MS),
        backoffBaseMs: milliseconds(1_000, 'first back-off', 1, HOUR_MS),
        backoffCapMs: milliseconds(120_000, 'largest back-off before jitter', 1, HOUR_MS),
      },
      { additionalProperties: false, default: {}, carriesLink: true },
    ),
    downlink: Type.Object(
      {
        frameBytes: Type.Integer({ minimum: 4096, maximum: 1_048_576, default: 262_144, unit: 'bytes' }),
        inflightMessages: Type.Integer({ minimum: 1, maximum: 1024, default: 16 }),
      },
      { additionalProperties: false, default: {}, carriesLink: true },
    ),
    config: Type.Object(
      {
        keepDocuments: Type.Integer({
          minimum: 2,
          maximum: 100,
          default: 10,
          description: "the cloud's last documents, kept to go back to",
        }),
        applyWithinMs: milliseconds(
          60_000,
          'how long an app that has a section may be away before the document is refused, and how long all have to take it',
          1000,
        ),
        confirmWithinMs: milliseconds(
          300_000,
          'how long a change that carries the link has to make a new link, if the order does not say',
          1000,
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    queue: Type.Object(
      {
        results: laneLimits(100_000, 256 * 2 ** 20, 0),
        events: laneLimits(100_000, 64 * 2 ** 20, 0),
        telemetry: laneLimits(1_000_000, 256 * 2 ** 20, 30),
        history: laneLimits(1_000_000, 256 * 2 ** 20, 30),
      },
      { additionalProperties: false, default: {}, restart: true },
    ),
  },
  { additionalProperties: false },
);
export type GatewayConfig = Static<typeof GatewayConfig>;
