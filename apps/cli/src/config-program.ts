import type { Command, Option } from 'commander';
import type { Context } from './commands/context.ts';
import { configHistory, diffConfig, rollbackConfig, showConfig } from './commands/config.ts';
import { pushConfig, showFleetConfig } from './commands/fleet-config.ts';
import { duration, wholeNumber } from './arguments.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

interface DeviceCommands {
  contextOf(command: Command): Context;
  json(): Option;
  exit(code: number): void;
}

/** `bowline config show|history|diff|rollback`: how this device is configured. */
export function addConfig(root: Command, { contextOf, json, exit }: DeviceCommands): void {
  const config = root
    .command('config')
    .description('how this device is configured: show, history, diff, rollback');
  config
    .command('show', { isDefault: true })
    .description('each value in force and where it comes from')
    .argument('[app]', 'only this one, e.g. telemetry-collector')
    .option('--all', 'defaults, too')
    .addOption(json())
    .action((app: string | undefined, { all = false }: { all?: boolean }, command: Command) =>
      showConfig(contextOf(command), app, all),
    );
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
  config
    .command('rollback')
    .description('a document that is kept is in force again; 0: none')
    .argument('<version>', 'of the history', wholeNumber)
    .addOption(json())
    .action(async (version: number, _, command: Command) =>
      exit(await rollbackConfig(contextOf(command), version)),
    );
}

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
