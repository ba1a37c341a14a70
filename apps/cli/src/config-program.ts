import type { Command, Option } from 'commander';
import type { Context } from './commands/context.ts';
import { configHistory, diffConfig, rollbackConfig, showConfig } from './commands/config.ts';
import { setConfig, unsetConfig, type TrialOptions } from './commands/config-override.ts';
import { pushConfig, showFleetConfig } from './commands/fleet-config.ts';
import { duration, wholeNumber } from './arguments.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

interface DeviceCommands {
  contextOf(command: Command): Context;
  json(): Option;
  exit(code: number): void;
}

/** `bowline config show|set|unset|history|diff|rollback`: how this device is configured. */
export function addConfig(root: Command, { contextOf, json, exit }: DeviceCommands): void {
  const config = root
    .command('config')
    .description('how this device is configured: show, set, unset, history, diff, rollback');
  config
    .command('show', { isDefault: true })
    .description('each value in force and where it comes from')
    .argument('[app]', 'only this one, e.g. telemetry-collector')
    .option('--all', 'defaults, too')
    .addOption(json())
    .action((app: string | undefined, { all = false }: { all?: boolean }, command: Command) =>
      showConfig(contextOf(command), app, all),
    );
  const changes = {
    set: {
      does: setConfig,
      what: '<values...>',
      as: 'KEY=VALUE, e.g. link.url=wss://fleet.example/v1/…; KEY=@FILE takes the value from a file, KEY=@- from standard input: on the command line every user of the machine may see it',
    },
    unset: { does: unsetConfig, what: '<keys...>', as: 'e.g. link.url' },
  };
  const described = {
    set: "sets keys in the app's local override, over what the cloud says; what carries the link is tried out",
    unset: 'takes keys out of the local override again; what carries the link is tried out',
  };
  for (const [name, { does, what, as }] of Object.entries(changes) as [
    keyof typeof changes,
    typeof changes.set,
  ][]) {
    triable(config.command(name).description(described[name]))
      .argument('<app>', 'e.g. ws-gateway')
      .argument(what, as)
      .addOption(json())
      .action(async (app: string, given: string[], options: TrialOptions, command: Command) =>
        exit(await does(contextOf(command), app, given, { ...UNTOLD, ...options })),
      );
  }
  config
    .command('history')
    .description("the cloud's documents that are kept, and how each ended")
    .addOption(json())
    .action((_, command: Command) => configHistory(contextOf(command)));
  config
    .command('diff')
    .description('what two documents say differently')
    .argument('<from>', 'version', wholeNumber)
    .argument('[to]', 'version; else the one in force', wholeNumber)
    .addOption(json())
    .action((from: number, to: number | undefined, _, command: Command) =>
      diffConfig(contextOf(command), from, to),
    );
  triable(config.command('rollback'))
    .description('a document that is kept is in force again; 0: none; what carries the link is tried out')
    .argument('<version>', 'of the history', wholeNumber)
    .addOption(json())
    .action(async (version: number, options: TrialOptions, command: Command) =>
      exit(await rollbackConfig(contextOf(command), version, { ...UNTOLD, ...options })),
    );
}

const UNTOLD = { untried: false };

const triable = (command: Command): Command =>
  command
    .option(
      '--confirm-within <duration>',
      'how long a new link may take, if the change carries the link; else what was before is in force again',
      duration,
      60_000,
    )
    .option('--untried', 'keep it at once: there is no link now that could prove it');

/** `bowline fleet config push|show`: how a device is to be configured. */
export function addFleetConfig(
  fleet: Command,
  { contextOf, apiOf, json, exit }: FleetCommands & Pick<DeviceCommands, 'exit'>,
): void {
  const config = fleet.command('config').description('how a device is to be configured: push, show');
  config
    .command('push')
    .description('sends a document with a section for each app, and follows it to its end')
    .argument('<device>', 'its id')
    .argument('<file>', 'JSON: { APP: { … } }')
    .option('--set-version <number>', 'of the document; else the next one', wholeNumber)
    .option(
      '--confirm-within <duration>',
      'if it changes the link: how long a new link may take, e.g. 2m',
      duration,
    )
    .option(
      '--timeout <duration>',
      'how long to wait for the end, e.g. 30s; the order itself goes on',
      duration,
      120_000,
    )
    .addOption(json())
    .action(
      async (
        device: string,
        file: string,
        options: { setVersion?: number; confirmWithin?: number; timeout: number },
        command: Command,
      ) => {
        const { setVersion: version, confirmWithin: confirmWithinMs, timeout: timeoutMs } = options;
        exit(
          await pushConfig(contextOf(command), apiOf(command), device, file, {
            version,
            confirmWithinMs,
            timeoutMs,
          }),
        );
      },
    );
  config
    .command('show')
    .description('what is wanted, what is in force, and whether they differ')
    .argument('<device>', 'its id')
    .addOption(json())
    .action((device: string, _, command: Command) =>
      showFleetConfig(contextOf(command), apiOf(command), device),
    );
}
