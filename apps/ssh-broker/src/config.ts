import { memberConfig } from '@bowline/device-app/config';
import { Type, type Static } from 'typebox';

/** Keys marked `localOnly` name paths and programs: the cloud can never set them (docs/architecture.md). */
export const BrokerConfig = Type.Object(
  {
    ...memberConfig({
      stateDir: "this app's own folder: its lock, what it has reported, its trust bundle, used signatures",
      policyFile: 'for which users sessions may be opened; without it for none',
    }),
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
