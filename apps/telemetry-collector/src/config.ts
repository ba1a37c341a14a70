import { Type, type Static } from 'typebox';

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

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const CollectorConfig = Type.Object(
  {
    stateDir: Type.String({ minLength: 1, localOnly: true, description: "this app's own folder: its lock" }),
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
        filesystem: interval(60_000, 'system.filesystem.*, one of each for a mount point'),
        temperature: interval(15_000, 'hw.temperature, one for a sensor'),
        network: interval(10_000, 'system.network.io, two for an interface'),
        uptime: interval(60_000, 'system.uptime'),
      },
      { additionalProperties: false, default: {} },
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
        bufferSamples: Type.Integer({
          minimum: 16,
          maximum: 1_000_000,
          default: 20_000,
          description: 'most samples in memory while the gateway is away; beyond it the oldest are thinned',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
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
