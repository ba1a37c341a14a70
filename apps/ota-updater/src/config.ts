import { memberConfig } from '@bowline/device-app/config';
import { Type, type Static } from 'typebox';
import { SupplyConfig } from './supply/supply-config.ts';

const milliseconds = (value: number, description: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: 2 ** 31 - 1, default: value, unit: 'ms', description });
const count = (value: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 1000, default: value, description });

const TrialConfig = Type.Object(
  {
    graceMs: milliseconds(30_000, 'so long a new release may be down, or its probe bad: it is starting', 0),
    soakMs: milliseconds(60_000, 'so long after that it must be well without a break', 0),
    trialMaxMs: milliseconds(
      1_800_000,
      'a trial that nobody is to blame for ends here, as `rolled back: inconclusive`',
    ),
    linkBackMs: milliseconds(
      300_000,
      "a link that was lost in a trial is the release's fault once the server has answered others for so long; more than the gateway's longest back-off, or the end of an outage rolls good releases back",
    ),
    bootLoopRestarts: count(3, 'restarts of its process while it starts that make a boot loop'),
    bootLoopTrials: count(3, 'boots of the device within one trial that make a boot loop'),
    probeFailures: count(3, 'bad probes in a row that fail it'),
    observeMs: milliseconds(2000, 'pause between two looks at it', 10),
    probeTimeoutMs: milliseconds(10_000, 'how long its probe may take, unless its manifest says otherwise'),
    lookMs: milliseconds(2000, 'pause between two looks at whether an update that waits may go on', 10),
    stuckMs: milliseconds(600_000, 'an update whose contents do not come for so long lets others go first'),
    rebootMs: milliseconds(300_000, 'so long after a reboot was asked for the device may still be up'),
    maxWaiting: count(16, 'orders that may wait beside the one under way; more are rejected'),
  },
  { additionalProperties: false, default: {}, restart: true },
);

const CheckConfig = Type.Object(
  {
    schedule: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description:
          'when to look whether the update server has something newer, as a cron expression in the device\'s time zone, e.g. "15 */6 * * *"; it is reported and shown, never installed; default never',
      }),
    ),
    jitterMs: milliseconds(
      1_800_000,
      'each look is put off by a random part of this: a fleet does not come at once',
      0,
    ),
  },
  { additionalProperties: false, default: {}, restart: true },
);

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const UpdaterConfig = Type.Object(
  {
    ...memberConfig({
      stateDir:
        "this app's own folder: its lock, journal of updates, holds, trust bundle, used signatures, trusted metadata",
      policyFile: 'channels from which software may be installed, its kinds and windows; without it none',
    }),
    releasesDir: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/var/lib/bowline/releases',
      description: 'the releases of each program: NAME/DIGEST, and NAME/current, a link to the one in use',
    }),
    pm2Home: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/run/bowline/pm2',
      description: "home of the pm2 that runs the user's programs",
    }),
    sshRunFolder: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description: "the ssh-broker's folder of sessions: while one is open, nothing is switched",
      }),
    ),
    modules: Type.Object(
      {
        dir: Type.String({
          minLength: 1,
          localOnly: true,
          default: '/usr/share/mender/modules/v3',
          description: "update modules (Mender's interface, version 3), a program each, named by its type",
        }),
        reboot: Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          maxItems: 16,
          localOnly: true,
          default: ['/usr/bin/systemctl', 'reboot'],
          description: 'reboots the device for a module that leaves that to us (`Automatic`), word by word',
        }),
        timeoutMs: milliseconds(14_400_000, 'a module that takes longer in one of its states is ended'),
      },
      { additionalProperties: false, default: {}, restart: true },
    ),
    launcher: Type.Object(
      {
        file: Type.String({
          minLength: 1,
          localOnly: true,
          default: '/usr/lib/bowline/launch',
          description: 'the launcher of Bowline; where it is absent, Bowline cannot update itself',
        }),
        factory: Type.String({
          minLength: 1,
          localOnly: true,
          default: '/opt/bowline',
          description: 'the code of Bowline that came with the image, whose Node a slot without one runs on',
        }),
      },
      { additionalProperties: false, default: {}, restart: true },
    ),
    supply: SupplyConfig,
    check: CheckConfig,
    trial: TrialConfig,
  },
  { additionalProperties: false },
);
export type UpdaterConfig = Static<typeof UpdaterConfig>;
