import { InvalidArgumentError, type Command, type Option } from 'commander';
import type { OperatorsApi } from './adapters/operators-api.ts';
import { duration } from './arguments.ts';
import type { Context } from './commands/context.ts';
import { fleetUpdate, printUpdate } from './commands/fleet-update.ts';

interface Parts {
  contextOf: (command: Command) => Context;
  apiOf: (command: Command) => OperatorsApi;
  json: () => Option;
  exit: (code: number) => void;
}

interface Options {
  sign?: string;
  signer?: string;
  channel: string;
  digest?: string;
  allowDowngrade?: boolean;
  preview?: boolean;
  retryFailed?: boolean;
  rollout?: { percent: number; salt: string };
  reason?: string;
  valid: number;
  timeout: number;
  print?: boolean;
}

/** `bowline fleet update`: which release a device is to run. */
export function addFleetUpdate(fleet: Command, { contextOf, apiOf, json, exit }: Parts): void {
  fleet
    .command('update')
    .description('has a device install a published release, and follows that to its end')
    .argument('<device>', 'its id; with --print also group:NAME')
    .argument('<name>', 'of the release')
    .argument('<version>')
    .option('--sign <key>', 'an update key of yours (bowline keys), by name or file')
    .option('--signer <url>', 'have it signed by a signer process; its token is in BOWLINE_SIGNER_TOKEN')
    .option('--channel <name>', 'that of the release', 'stable')
    .option('--digest <sha256>', 'this content of the release and no other')
    .option('--allow-downgrade', 'it may take the place of a newer version, if the release says so too')
    .option(
      '--preview',
      'change nothing: what it would fetch and need, when it would be, what the policy says',
    )
    .option('--retry-failed', 'even if it has failed on the device before')
    .option(
      '--rollout <percent:salt>',
      'only this share of the devices that it is for; more under the same salt adds devices',
      rollout,
    )
    .option('--reason <text>', 'for the records')
    .option('--valid <duration>', 'how long the signature is good, at most 7 days', duration, 24 * 3_600_000)
    .option(
      '--timeout <duration>',
      'how long to wait for the end; the order itself goes on',
      duration,
      3_600_000,
    )
    .option('--print', 'only print the signed order, to go with a bundle')
    .addOption(json())
    .action(async (device: string, name: string, version: string, options: Options, command: Command) => {
      const { sign, signer, channel, digest, reason, valid, timeout } = options;
      const { allowDowngrade, preview, retryFailed, rollout } = options;
      if ((sign === undefined) === (signer === undefined))
        throw new InvalidArgumentError(
          'Name the key that signs it with --sign, or a signer process with --signer.',
        );
      const update = {
        name,
        version,
        channel,
        ...(sign !== undefined && { sign }),
        ...(signer !== undefined && { signer }),
        validMs: valid,
        ...(digest !== undefined && { digest }),
        ...(allowDowngrade === true && { allowDowngrade }),
        ...(preview === true && { preview }),
        ...(retryFailed === true && { retryFailed }),
        ...(rollout !== undefined && { rollout }),
        ...(reason !== undefined && { reason }),
      };
      const context = contextOf(command);
      if (options.print === true) await printUpdate(context, device, update);
      else exit(await fleetUpdate(context, apiOf(command), device, update, timeout));
    });
}

function rollout(text: string): { percent: number; salt: string } {
  const [, percent, salt] = /^(\d{1,3}(?:\.\d+)?):([\x21-\x7e]{1,128})$/.exec(text) ?? [];
  if (percent === undefined || salt === undefined || Number(percent) > 100)
    throw new InvalidArgumentError('Write it as 10:SALT, e.g. 10:spring-release.');
  return { percent: Number(percent), salt };
}
