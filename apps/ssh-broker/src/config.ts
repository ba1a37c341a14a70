import { Type, type Static } from 'typebox';

/** Keys marked `localOnly` name paths and programs: the cloud can never set them (docs/architecture.md). */
export const BrokerConfig = Type.Object(
  {
    stateDir: Type.String({
      minLength: 1,
      localOnly: true,
      description: "this app's own folder: its lock, what it has reported, its trust bundle, used signatures",
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
      description: 'for which users sessions may be opened; without it for none',
    }),
    trustAnchorFile: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/trust-anchor.json',
      description: 'whose signatures count here; without it those of nobody',
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
    runFolder: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description:
          'one folder a session, wiped at every start; on a device on tmpfs. Default: `run` in stateDir',
      }),
    ),
    sshdPath: Type.String({ minLength: 1, default: '/usr/sbin/sshd', localOnly: true }),
  },
  { additionalProperties: false },
);
export type BrokerConfig = Static<typeof BrokerConfig>;
