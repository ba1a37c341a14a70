import { Type, type Static } from 'typebox';

const milliseconds = (fallback: number, description: string, minimum = 0) =>
  Type.Integer({ minimum, maximum: 2 ** 31 - 1, default: fallback, unit: 'ms', description });

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const ExecutorConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: "this app's own folder: its lock, its trust bundle, used signatures",
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
    policyFile: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/policy.json',
      description: 'what the cloud may ask of this device; without it only the commands that change nothing',
    }),
    trustAnchorFile: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/trust-anchor.json',
      description: 'whose signatures count here; without it those of nobody',
    }),
    maxConcurrent: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 4,
      description: 'orders that run at once',
    }),
    maxWaiting: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description:
        'orders that wait in memory for their turn; more are refused as `executor-full`, to be offered again',
    }),
    commandTimeoutMs: milliseconds(
      60_000,
      'for an order without `timeoutMs`, and the most that one may ask for',
      1,
    ),
    resultBytes: Type.Integer({
      minimum: 256,
      maximum: 49_152,
      default: 32_768,
      unit: 'bytes',
      description:
        'a longer result is cut, visibly; below the smallest frame that a server takes by default (64 KiB)',
    }),
    stopGraceMs: milliseconds(5000, 'how long an orderly stop waits for what runs'),
  },
  { additionalProperties: false },
);
export type ExecutorConfig = Static<typeof ExecutorConfig>;
