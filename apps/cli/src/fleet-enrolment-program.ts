import type { Command, Option } from 'commander';
import type { OperatorsApi } from './adapters/operators-api.ts';
import type { Context } from './commands/context.ts';
import {
  certifyDevice,
  createToken,
  decommission,
  listTokens,
  registerDevice,
  revokeToken,
  setAccess,
} from './commands/fleet-enrolment.ts';
import { duration, wholeNumber, withoutUndefined } from './arguments.ts';

/** What those commands need of the program that they are part of. */
export interface FleetCommands {
  contextOf: (command: Command) => Context;
  apiOf: (command: Command) => OperatorsApi;
  json: () => Option;
}

/** `bowline fleet tokens|register|revoke|restore|decommission`: who belongs to the fleet. */
export function addFleetEnrolment(fleet: Command, { contextOf, apiOf, json }: FleetCommands): void {
  const tokens = fleet.command('tokens').description('with which devices enrol: list, create, revoke');
  tokens
    .command('list', { isDefault: true })
    .description('those that live, oldest first')
    .addOption(json())
    .action((_, command: Command) => listTokens(contextOf(command), apiOf(command)));
  tokens
    .command('create')
    .description('makes one and prints it, this once: for one device, or for as many as --uses says')
    .option('--device <id>', 'the id that the device gets; a device of that id gets a new key')
    .option('--name <name>', 'what people call it')
    .option('--group <name...>', 'groups that its devices belong to')
    .option('--uses <count>', 'how many devices it may enrol, each key counting once', wholeNumber)
    .option('--expires <duration>', 'default 1d, at most 365d', duration)
    .addOption(json())
    .action(
      (
        options: { device?: string; name?: string; group?: string[]; uses?: number; expires?: number },
        command: Command,
      ) => {
        const { device: deviceId, name, group: groups, uses: maxUses, expires: expiresInMs } = options;
        const wanted = { deviceId, name, groups, maxUses, expiresInMs };
        return createToken(contextOf(command), apiOf(command), withoutUndefined(wanted));
      },
    );
  tokens
    .command('revoke')
    .description('ends one before its time; devices that have used it stay')
    .argument('<token>', 'its id, as the list shows it')
    .addOption(json())
    .action((tokenId: string, _, command: Command) =>
      revokeToken(contextOf(command), apiOf(command), tokenId),
    );

  fleet
    .command('register')
    .description('lets a key enrol without a token')
    .argument('<device>', 'the id that it gets')
    .argument('<file>', 'with the key that `bowline identity` prints; - for standard input')
    .option('--name <name>', 'what people call it')
    .option('--group <name...>', 'groups that it belongs to', [])
    .addOption(json())
    .action((deviceId: string, file: string, options: { name?: string; group: string[] }, command: Command) =>
      registerDevice(contextOf(command), apiOf(command), deviceId, file, {
        name: options.name,
        groups: options.group,
      }),
    );
  fleet
    .command('certify')
    .description("an authority's word for a device's key, for operators of ssh (docs/ssh.md); prints it")
    .argument('<device>', 'its id')
    .requiredOption('--sign <key>', 'the key of the authority (bowline keys), by name or file')
    .option(
      '--key <file>',
      'what `bowline identity` printed there, - for standard input; default: as known here',
    )
    .addOption(json())
    .action((deviceId: string, { key, sign }: { key?: string; sign: string }, command: Command) =>
      certifyDevice(contextOf(command), apiOf(command), deviceId, { key, sign }),
    );
  const access = {
    revoke: 'ends its link now and lets it in no more; what it sent stays',
    restore: 'lets a revoked device connect again',
  };
  for (const [what, description] of Object.entries(access) as ['revoke' | 'restore', string][]) {
    fleet
      .command(what)
      .description(description)
      .argument('<device>', 'its id')
      .addOption(json())
      .action((deviceId: string, _, command: Command) =>
        setAccess(contextOf(command), apiOf(command), deviceId, what),
      );
  }
  fleet
    .command('decommission')
    .description('forgets a device for good, with everything that it sent')
    .argument('<device>', 'its id')
    .option('--yes', 'without a question')
    .addOption(json())
    .action((deviceId: string, { yes = false }: { yes?: boolean }, command: Command) =>
      decommission(contextOf(command), apiOf(command), deviceId, yes),
    );
}
