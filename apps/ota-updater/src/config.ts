import { memberConfig } from '@bowline/device-app/config';
import { Type, type Static } from 'typebox';

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const UpdaterConfig = Type.Object(
  memberConfig({
    stateDir:
      "this app's own folder: its lock, what it has reported, its trust bundle, used signatures, later the update journal and trusted metadata",
    policyFile: 'channels from which software may be installed; without it from none',
  }),
  { additionalProperties: false },
);
export type UpdaterConfig = Static<typeof UpdaterConfig>;
