import { Command, Option } from 'commander';
import { operatorsApi } from './adapters/operators-api.ts';
import { readGiven } from './adapters/text-input.ts';
import { decode } from './commands/decode.ts';
import type { Context } from './commands/context.ts';
import { listDeadLetters, settleDeadLetters, showDeadLetter } from './commands/dead-letters.ts';
import { fleetCancel } from './commands/fleet-cancel.ts';
import { fleetCommand } from './commands/fleet-command.ts';
import { fleetDevices, fleetOrder } from './commands/fleet-devices.ts';
import { linkLog } from './commands/link-log.ts';
import { logs } from './commands/logs.ts';
import { restart } from './commands/restart.ts';
import { status } from './commands/status.ts';
import { upkeep } from './commands/upkeep.ts';
import type { Side } from './core/explain-frame.ts';
import { givenParams } from './core/given-values.ts';
import { duration, showDurations, wholeNumber } from './arguments.ts';
import { addFleetOperators } from './fleet-operators-program.ts';
import { addEnrolment } from './enrolment-program.ts';
import { addFleetEnrolment } from './fleet-enrolment-program.ts';
import { addFleetHistory } from './fleet-history-program.ts';
import { addConfig, addFleetConfig } from './config-program.ts';
import { addFleetRollout } from './fleet-rollout-program.ts';
import { addFleetServer } from './fleet-server-program.ts';
import { addFleetUpdate } from './fleet-update-program.ts';
import { addHistory } from './history-program.ts';
import { addRelease } from './release-program.ts';
import { addSend } from './send-program.ts';
import { addFleetTrust, addKeys, addPolicy } from './trust-program.ts';
import { addUpdate } from './update-program.ts';
import { addSsh } from './ssh-program.ts';
import { commandSigner } from './adapters/sign-command.ts';

export interface Run {
  context: (options: { json?: boolean; home?: string }) => Context;
  /** Takes the exit code of a command that has one. */
  exit: (code: number) => void;
}

/** The whole command line. Each action does its work and leaves errors to the caller. */
export function program({ context, exit }: Run, version: string): Command {
  const root = new Command('bowline')
    .description('Looks after a Bowline device, and gives orders to a fleet of them.')
    .version(version)
    .option(
      '--home <folder>',
      'folder of the demo or checkout (else BOWLINE_HOME, else found from here upward)',
    )
    .showSuggestionAfterError()
    .helpCommand(true);
  const contextOf = (command: Command) => context(command.optsWithGlobals());
  const json = () => new Option('--json', 'for programs: one JSON document on standard output, errors too');

  root
    .command('status')
    .description("the device's own view: link, queue, apps, last orders")
    .option('--link', 'failed attempts to connect and ended links, with their stage')
    .addOption(json())
    .action(async ({ link = false }: { link?: boolean }, command: Command) =>
      link ? linkLog(contextOf(command)) : exit(await status(contextOf(command))),
    );
  addEnrolment(root, { contextOf, json });
  addDeadLetters(root, contextOf, json, exit);
  addSend(root, { contextOf, json });
  addHistory(root, { contextOf, json });
  addUpdate(root, { contextOf, json, exit });
  root
    .command('logs')
    .description('what an app writes, as it comes')
    .argument('<app>', 'e.g. ws-gateway')
    .option('-n, --lines <count>', 'how many of the last lines first', wholeNumber, 20)
    .option('--raw', 'the lines as they are, JSON')
    .option('--no-follow', 'end after the last lines')
    .action((app: string, options: { lines: number; raw?: boolean; follow: boolean }, command: Command) =>
      logs(contextOf(command), app, { ...options, raw: options.raw ?? false }),
    );
  root
    .command('restart')
    .description('ends and starts one app; the others go on')
    .argument('<app>', 'e.g. ws-gateway')
    .addOption(json())
    .action((app: string, _, command: Command) => restart(contextOf(command), app));
  root
    .command('decode')
    .description('explains captured frames, one a line')
    .argument('[file]', 'standard input if left out')
    .addOption(
      new Option('--from <side>', 'who sent them, where the type alone does not tell').choices([
        'device',
        'server',
      ]),
    )
    .option('--payload', 'with the payloads')
    .addOption(json())
    .action(async (file: string | undefined, options: { from?: Side; payload?: boolean }, command: Command) =>
      exit(await decode(contextOf(command), file, { from: options.from, payload: options.payload ?? false })),
    );
  root
    .command('upkeep', { hidden: true })
    .description('run by pm2 every minute: starts what pm2 has lost, rotates the logs')
    .requiredOption('--pm2-home <folder>')
    .option('--rotate <file>', 'configuration of logrotate')
    .action((options: { pm2Home: string; rotate?: string }) => upkeep({ rotate: undefined, ...options }));

  const fleet = root.command('fleet').description("the server's side: devices and orders");
  const apiOf = (command: Command) => {
    const { env, installation } = contextOf(command);
    const server = env['BOWLINE_SERVER'] || undefined;
    const token = env['BOWLINE_TOKEN'] || undefined;
    return operatorsApi(server !== undefined && token !== undefined ? {} : installation(), { server, token });
  };
  fleet
    .command('command')
    .description('has a device run a command and follows it to its end')
    .argument('<device>', 'its id')
    .argument('<name>', 'of the command, e.g. ping')
    .option(
      '--params <json>',
      'parameters of the command, a JSON object; @FILE takes them from a file, @- from standard input: on the command line every user of the machine may see them',
    )
    .option(
      '--timeout <duration>',
      'how long to wait for the end, e.g. 30s; the order itself goes on',
      duration,
      30_000,
    )
    .option('--expires <duration>', 'the device does not start it after that, e.g. 10m', duration)
    .option('--sign <key>', 'sign it with a key of yours (bowline keys), by name or file')
    .option('--signer <url>', 'have it signed by a signer process; its token is in BOWLINE_SIGNER_TOKEN')
    .option('--valid <duration>', 'how long the signature is good', duration, 600_000)
    .addOption(json())
    .action(
      async (
        device: string,
        name: string,
        options: {
          params?: string;
          timeout: number;
          expires?: number;
          sign?: string;
          signer?: string;
          valid: number;
        },
        command: Command,
      ) => {
        const { timeout: timeoutMs, expires: expiresInMs } = options;
        const params =
          options.params === undefined ? undefined : givenParams(await readGiven(options.params));
        exit(
          await fleetCommand(contextOf(command), apiOf(command), device, name, {
            params,
            timeoutMs,
            expiresInMs,
            sign: commandSigner(contextOf(command), options),
          }),
        );
      },
    );
  fleet
    .command('devices')
    .description('all devices that the server knows')
    .addOption(json())
    .action((_, command: Command) => fleetDevices(contextOf(command), apiOf(command)));
  fleet
    .command('order')
    .description('one order and its steps')
    .argument('<order>', 'its id')
    .addOption(json())
    .action((orderId: string, _, command: Command) =>
      fleetOrder(contextOf(command), apiOf(command), orderId),
    );
  fleet
    .command('cancel')
    .description('calls an order off, and says whether that was still possible')
    .argument('<order>', 'its id')
    .option(
      '--timeout <duration>',
      'how long to wait for the end, e.g. 30s; the cancel itself goes on',
      duration,
      30_000,
    )
    .addOption(json())
    .action(async (orderId: string, { timeout }: { timeout: number }, command: Command) =>
      exit(await fleetCancel(contextOf(command), apiOf(command), orderId, timeout)),
    );
  addFleetEnrolment(fleet, { contextOf, apiOf, json });
  addFleetOperators(fleet, { contextOf, apiOf, json });
  addFleetHistory(fleet, { contextOf, apiOf, json, exit });
  addFleetConfig(fleet, { contextOf, apiOf, json, exit });
  addConfig(root, { contextOf, json, exit });
  addFleetServer(fleet, { contextOf, apiOf, json });
  addFleetTrust(fleet, { contextOf, apiOf, json });
  addFleetRollout(fleet, { contextOf, apiOf, json });
  addFleetUpdate(fleet, { contextOf, apiOf, json, exit });
  addSsh(root, fleet, { contextOf, apiOf, json }, exit);
  addKeys(root, { contextOf, json });
  addRelease(root, { contextOf, json });
  addPolicy(root, { contextOf, json });
  showDurations(root);
  return root;
}

function addDeadLetters(
  root: Command,
  contextOf: (command: Command) => Context,
  json: () => Option,
  exit: (code: number) => void,
): void {
  const letters = root
    .command('dead-letters')
    .description('messages that the server rejected for good: list, show, resend, purge');
  letters
    .command('list', { isDefault: true })
    .description('all of them, newest first')
    .addOption(json())
    .action((_, command: Command) => listDeadLetters(contextOf(command)));
  letters
    .command('show')
    .description('the message itself')
    .argument('<number>', 'of the list', wholeNumber)
    .addOption(json())
    .action((number: number, _, command: Command) => showDeadLetter(contextOf(command), number));
  const settling = { resend: 'sends them again: same id, end of the lane', purge: 'forgets them for good' };
  for (const [what, description] of Object.entries(settling) as ['resend' | 'purge', string][]) {
    letters
      .command(what)
      .description(description)
      .argument('[numbers...]', 'of the list', (text, before: number[] = []) => [
        ...before,
        wholeNumber(text),
      ])
      .option('--all', 'all of them')
      .addOption(json())
      .action(async (numbers: number[] = [], { all = false }: { all?: boolean }, command: Command) =>
        exit(await settleDeadLetters(contextOf(command), what, numbers, all)),
      );
  }
}
