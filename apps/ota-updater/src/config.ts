import { Type, type Static } from 'typebox';

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const UpdaterConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description:
        "this app's own folder: its lock, what it has reported, its trust bundle, used signatures, later the update journal and trusted metadata",
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
    policyFile: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/policy.json',
      description: 'channels from which software may be installed; without it from none',
    }),
    trustAnchorFile: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/trust-anchor.json',
      description: 'whose signatures count here; without it those of nobody',
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
  },
  { additionalProperties: false },
);
export type UpdaterConfig = Static<typeof UpdaterConfig>;
