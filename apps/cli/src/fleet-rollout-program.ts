import { InvalidArgumentError, Option, type Command } from 'commander';
import { duration, withoutUndefined } from './arguments.ts';
import {
  continueRollout,
  haltRollout,
  listRollouts,
  showRollout,
  startRollout,
  type Signing,
} from './commands/fleet-rollout.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

interface SigningOptions {
  sign?: string;
  signer?: string;
  valid: number;
}

interface StartOptions extends SigningOptions {
  group: string;
  percent: number;
  id?: string;
  maxFailed?: number;
  emptyGroup?: boolean;
  unpublished?: boolean;
  channel: string;
  digest?: string;
  allowDowngrade?: boolean;
  reason?: string;
}

interface StageOptions extends SigningOptions {
  unpublished?: boolean;
}

const UNPUBLISHED = 'though the repository of the server has no such release: devices have it from elsewhere';
const DAY_MS = 24 * 3_600_000;

/** `bowline fleet rollout`: a release to a share of a group, then to more of it. */
export function addFleetRollout(fleet: Command, { contextOf, apiOf, json }: FleetCommands): void {
  const rollout = fleet
    .command('rollout')
    .description('staged updates of a group: list, show, start, widen, pause, go-on, stop');
  const signed = (command: Command) =>
    command
      .option('--sign <key>', 'an update key of yours (bowline keys), by name or file')
      .option('--signer <url>', 'have it signed by a signer process; its token is in BOWLINE_SIGNER_TOKEN')
      .addOption(
        new Option('--valid <duration>', 'how long devices are given it, at most 7 days')
          .argParser(duration)
          .default(7 * DAY_MS, '7d'),
      );
  rollout
    .command('list', { isDefault: true })
    .description('newest first')
    .addOption(json())
    .action((_, command: Command) => listRollouts(contextOf(command), apiOf(command)));
  rollout
    .command('show')
    .description('how far it is, and on which devices it failed')
    .argument('<id>', 'of the rollout')
    .addOption(json())
    .action((id: string, _, command: Command) => showRollout(contextOf(command), apiOf(command), id));
  signed(
    rollout
      .command('start')
      .description('gives a published release to a share of a group, each device when it is connected')
      .argument('<name>', 'of the release')
      .argument('<version>')
      .requiredOption('--group <name>', 'the devices that are meant to have it in the end')
      .requiredOption('--percent <share>', 'of the group, to begin with', percent),
  )
    .option(
      '--max-failed <percent>',
      'pause by itself once more of the devices have failed; default 5',
      percent,
    )
    .option('--empty-group', 'though no device is in the group yet: each that joins it later is given it')
    .option('--unpublished', UNPUBLISHED)
    .option('--id <id>', 'of the rollout, by which devices are chosen, too; default NAME-VERSION')
    .option('--channel <name>', 'that of the release', 'stable')
    .option('--digest <sha256>', 'this content of the release and no other')
    .option('--allow-downgrade', 'it may take the place of a newer version, if the release says so too')
    .option('--reason <text>', 'for the records')
    .addOption(json())
    .action((name: string, version: string, options: StartOptions, command: Command) => {
      const { group, percent: share, id, maxFailed, channel, digest, allowDowngrade, reason } = options;
      const { emptyGroup: allowEmptyGroup, unpublished: allowUnpublished } = options;
      const update = {
        name,
        version,
        channel,
        ...signing(options),
        ...withoutUndefined({ digest, allowDowngrade, reason }),
      };
      const more = withoutUndefined({ id, maxFailedPercent: maxFailed, allowEmptyGroup, allowUnpublished });
      return startRollout(contextOf(command), apiOf(command), { group, percent: share, update, ...more });
    });
  signed(
    rollout
      .command('widen')
      .description('to a larger share; those that had it are not asked again')
      .argument('<id>', 'of the rollout')
      .argument('<percent>', 'of the group', percent),
  )
    .option('--unpublished', UNPUBLISHED)
    .addOption(json())
    .action((id: string, share: number, options: StageOptions, command: Command) =>
      continueRollout(contextOf(command), apiOf(command), id, { percent: share, ...staging(options) }),
    );
  signed(
    rollout
      .command('go-on')
      .description('after a pause, or once the signature has expired: signed anew for the same share')
      .argument('<id>', 'of the rollout'),
  )
    .option('--unpublished', UNPUBLISHED)
    .addOption(json())
    .action((id: string, options: StageOptions, command: Command) =>
      continueRollout(contextOf(command), apiOf(command), id, staging(options)),
    );
  for (const [how, what] of [
    ['pause', 'nobody begins any more, and what has not switched is called off'],
    ['stop', 'the same, for good'],
  ] as const)
    rollout
      .command(how)
      .description(what)
      .argument('<id>', 'of the rollout')
      .option('--reason <text>', 'for the others')
      .addOption(json())
      .action((id: string, { reason }: { reason?: string }, command: Command) =>
        haltRollout(contextOf(command), apiOf(command), id, how, reason),
      );
}

function signing({ sign, signer, valid }: SigningOptions): Signing {
  if ((sign === undefined) === (signer === undefined))
    throw new InvalidArgumentError(
      'Name the key that signs it with --sign, or a signer process with --signer.',
    );
  return { validMs: valid, ...withoutUndefined({ sign, signer }) };
}

const staging = ({ unpublished, ...options }: StageOptions) => ({
  ...signing(options),
  ...withoutUndefined({ allowUnpublished: unpublished }),
});

function percent(text: string): number {
  const share = Number(text);
  if (!/^\d{1,3}(\.\d+)?$/.test(text) || share > 100)
    throw new InvalidArgumentError('It must be a share from 0 to 100, e.g. 1 or 12.5.');
  return share;
}
