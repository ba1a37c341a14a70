import { Type, type Static } from 'typebox';
import { HistoryConfig } from './history/history-config.ts';

const interval = (fallback: number, description: string) =>
  Type.Object(
    {
      intervalMs: Type.Integer({
        minimum: 0,
        maximum: 86_400_000,
        default: fallback,
        unit: 'ms',
        description: `${description}; 0 switches it off`,
      }),
    },
    { additionalProperties: false, default: {} },
  );

const count = (minimum: number, fallback: number, maximum: number, description: string, unit?: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description, ...(unit === undefined ? {} : { unit }) });

/** A program that prints samples and events, one JSON object a line (docs/telemetry.md). */
export const PluginConfig = Type.Object(
  {
    command: Type.Array(Type.String(), {
      minItems: 1,
      localOnly: true,
      description: 'program and arguments; no shell',
    }),
    env: Type.Record(Type.String(), Type.String(), {
      default: {},
      localOnly: true,
      description: 'variables besides PATH, HOME, LANG, TZ, TMPDIR',
    }),
  },
  { additionalProperties: false },
);
export type PluginConfig = Static<typeof PluginConfig>;

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const CollectorConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: "this app's own folder: lock, clock, keys of events, history",
    }),
    hubFolder: Type.String({
      minLength: 1,
      localOnly: true,
      description: 'folder of the hub sockets, one an app',
    }),
    hubOwner: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: "the gateway's user, a name or a number, if this app runs as another",
      }),
    ),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
    procDir: Type.String({ minLength: 1, default: '/proc', localOnly: true }),
    sysDir: Type.String({ minLength: 1, default: '/sys', localOnly: true }),
    logDir: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: 'folder of the logs of all apps, for historyRequest; without it there is none of that',
      }),
    ),
    clockSynchronisedFile: Type.String({
      minLength: 1,
      default: '/run/systemd/timesync/synchronized',
      localOnly: true,
      description: 'exists once the clock of the machine has been set from the network (systemd-timesyncd)',
    }),
    series: Type.Object(
      {
        cpu: interval(5000, 'system.cpu.utilization'),
        load: interval(15_000, 'system.cpu.load_average.*'),
        memory: interval(10_000, 'system.memory.*'),
        paging: interval(30_000, 'system.paging.*, where there is swap'),
        disk: interval(30_000, 'system.disk.*, for each disk'),
        filesystem: interval(60_000, 'system.filesystem.*, one of each for a mount point'),
        temperature: interval(15_000, 'hw.temperature, one for a sensor'),
        power: interval(30_000, 'batteries, power supplies, clock rates and throttling, where there are any'),
        network: interval(10_000, 'system.network.*, two of each for an interface'),
        uptime: interval(60_000, 'system.uptime, bowline.boot.id'),
        bowline: interval(30_000, 'bowline.*: queues, link, and each app of this agent'),
      },
      { additionalProperties: false, default: {} },
    ),
    seriesRules: Type.Array(
      Type.Object(
        {
          match: Type.String({
            minLength: 1,
            maxLength: 128,
            description: 'name of a series, with * for any run of characters',
          }),
          enabled: Type.Optional(Type.Boolean({ description: 'false: it is not sampled' })),
          intervalMs: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 86_400_000,
              unit: 'ms',
              description: 'a sample this often at most',
            }),
          ),
          deadBand: Type.Optional(
            Type.Number({
              minimum: 0,
              description: 'a value no further than this from the last sample makes none',
            }),
          ),
          silenceMs: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 86_400_000,
              unit: 'ms',
              description: 'but one this often at least; 600,000 if it is not said',
            }),
          ),
          unit: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 32,
              description: 'in which values are told, if there is a way from their own',
            }),
          ),
        },
        { additionalProperties: false },
      ),
      {
        maxItems: 256,
        default: [
          { match: '*.limit', deadBand: 0 },
          { match: '*.limit:*', deadBand: 0 },
          { match: 'bowline.boot.id', deadBand: 0, silenceMs: 3_600_000 },
        ],
        description:
          'what holds for the sampled series that match; of several the last one that says something about it',
      },
    ),
    telemetry: Type.Object(
      {
        commitMs: Type.Integer({
          minimum: 0,
          maximum: 3_600_000,
          default: 30_000,
          unit: 'ms',
          description:
            'the longest that a sample waits in memory for its hand-over: all that a crash may lose',
        }),
        batchSamples: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 500,
          description: 'most samples in one message',
        }),
        batchBytes: Type.Integer({
          minimum: 1024,
          maximum: 57_344,
          default: 32_768,
          unit: 'bytes',
          description: 'largest message',
        }),
        bufferSamples: count(
          16,
          20_000,
          1_000_000,
          'most samples in memory while the gateway is away; beyond it the older half is thinned',
        ),
        bufferBytes: count(4096, 8_388_608, 268_435_456, 'and the most bytes of them, as JSON', 'bytes'),
      },
      { additionalProperties: false, default: {} },
    ),
    ingest: Type.Object(
      {
        socket: Type.Optional(
          Type.String({
            minLength: 1,
            localOnly: true,
            description:
              'path of the unix socket on which programs of this device hand in samples and events; without it there is none',
          }),
        ),
        socketMode: Type.String({
          pattern: '^0?[0-7]{3}$',
          default: '660',
          localOnly: true,
          description: 'mode of the socket; its folder says who may come near it',
        }),
        bodyBytes: count(1024, 1_048_576, 16_777_216, 'largest body of a request', 'bytes'),
        requestSamples: count(1, 10_000, 100_000, 'most samples in one request'),
        requestsAtOnce: count(1, 64, 1024, 'requests in work at a time; more are told to come again'),
        samplesPerSecond: count(
          1,
          2000,
          1_000_000,
          'samples a second that are taken for long; what is more is told to come again',
        ),
        burstSamples: count(1, 20_000, 10_000_000, 'and so many at once above that'),
        eventsPerSecond: count(1, 20, 10_000, 'events a second that are taken for long, likewise'),
        burstEvents: count(1, 500, 100_000, 'and so many at once above that'),
        pressurePercent: count(
          1,
          80,
          100,
          'share of the buffer above which nothing more is taken while the gateway is there',
          'percent',
        ),
        durableWithinMs: count(
          100,
          10_000,
          14_000,
          'how long a request that asks for durability waits for the gateway',
          'ms',
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    otlp: Type.Object(
      {
        enabled: Type.Boolean({
          default: false,
          localOnly: true,
          description: 'takes metrics by OTLP/HTTP as JSON on loopback; limits are those of ingest',
        }),
        port: Type.Integer({ minimum: 0, maximum: 65_535, default: 4318, localOnly: true }),
      },
      { additionalProperties: false, default: {} },
    ),
    statsd: Type.Object(
      {
        enabled: Type.Boolean({
          default: false,
          localOnly: true,
          description: 'takes StatsD over UDP on loopback',
        }),
        port: Type.Integer({ minimum: 0, maximum: 65_535, default: 8125, localOnly: true }),
        flushMs: count(10, 10_000, 3_600_000, 'how long values gather until they become samples', 'ms'),
        series: count(1, 1000, 100_000, 'most different series; lines of further ones are not taken'),
      },
      { additionalProperties: false, default: {} },
    ),
    history: HistoryConfig,
    plugins: Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }), PluginConfig, {
      additionalProperties: false,
      default: {},
      localOnly: true,
      description: 'source plug-ins by name',
    }),
    stopGraceMs: Type.Integer({
      minimum: 0,
      maximum: 7000,
      default: 5000,
      unit: 'ms',
      description: 'how long an orderly stop waits until what is in memory has been handed over',
    }),
  },
  { additionalProperties: false },
);
export type CollectorConfig = Static<typeof CollectorConfig>;
