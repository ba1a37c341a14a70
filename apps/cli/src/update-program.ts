import { InvalidArgumentError, type Command, type Option } from 'commander';
import { duration } from './arguments.ts';
import type { Context } from './commands/context.ts';
import { applyBundle } from './commands/apply-bundle.ts';
import { allowRelease, cancelUpdate, holdUpdates, letUpdatesGo, updateStatus } from './commands/update.ts';

const LONGEST_HOLD_MS = 30 * 24 * 3_600_000;

/** `bowline update`: updates as this device sees them, and a say in when they happen. */
export function addUpdate(
  root: Command,
  {
    contextOf,
    json,
    exit,
  }: { contextOf: (command: Command) => Context; json: () => Option; exit: (code: number) => void },
): void {
  const update = root
    .command('update')
    .description('updates of this device: status, apply, cancel, hold, release, allow');
  update
    .command('status', { isDefault: true })
    .description('what is installed and under way, what failed here before, who holds updates')
    .addOption(json())
    .action((_, command: Command) => updateStatus(contextOf(command)));
  update
    .command('apply')
    .description('installs a release from a bundle, e.g. on a stick: the same checks as over the network')
    .argument('<bundle>', 'file made by: bowline release bundle')
    .option('--order <file>', 'the signed order, if it is not in the bundle')
    .option(
      '--timeout <duration>',
      'how long to wait for the end; the update itself goes on',
      duration,
      3_600_000,
    )
    .addOption(json())
    .action(async (bundle: string, options: { order?: string; timeout: number }, command: Command) => {
      const { order, timeout: timeoutMs } = options;
      exit(
        await applyBundle(contextOf(command), bundle, { timeoutMs, ...(order !== undefined && { order }) }),
      );
    });
  update
    .command('cancel')
    .description('calls an update off that has not switched yet: the one under way, or the one named')
    .argument('[order]', 'its id, or the beginning of it, as status --json shows it')
    .addOption(json())
    .action(async (order: string | undefined, _, command: Command) =>
      exit(await cancelUpdate(contextOf(command), order ?? '')),
    );
  update
    .command('hold')
    .description('nothing is fetched or switched for a while; a trial that has begun goes on')
    .requiredOption('--owner <name>', 'who wants that', owner)
    .option('--for <duration>', 'at most 30 days', holdFor, 24 * 3_600_000)
    .option('--reason <text>', 'for others who look')
    .addOption(json())
    .action((options: { owner: string; for: number; reason?: string }, command: Command) => {
      const { reason } = options;
      holdUpdates(contextOf(command), options.owner, {
        forMs: options.for,
        ...(reason === undefined ? {} : { reason }),
      });
    });
  update
    .command('release')
    .description('lets go what this owner holds')
    .requiredOption('--owner <name>', 'as in hold', owner)
    .addOption(json())
    .action((options: { owner: string }, command: Command) =>
      letUpdatesGo(contextOf(command), options.owner),
    );
  update
    .command('allow')
    .description('a release that failed here may be ordered again')
    .argument('<digest>', 'or its beginning, as status shows it')
    .addOption(json())
    .action((digest: string, _, command: Command) => allowRelease(contextOf(command), digest));
}

function holdFor(text: string): number {
  const forMs = duration(text);
  if (forMs > LONGEST_HOLD_MS)
    throw new InvalidArgumentError('At most 30d: whoever wants longer wants it again then.');
  return forMs;
}

function owner(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text))
    throw new InvalidArgumentError('Letters, digits, dots, hyphens and underscores, at most 64.');
  return text;
}
