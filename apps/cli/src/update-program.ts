import { InvalidArgumentError, type Command, type Option } from 'commander';
import { duration } from './arguments.ts';
import type { Context } from './commands/context.ts';
import { allowRelease, holdUpdates, letUpdatesGo, updateStatus } from './commands/update.ts';

/** `bowline update`: updates as this device sees them, and a say in when they happen. */
export function addUpdate(
  root: Command,
  { contextOf, json }: { contextOf: (command: Command) => Context; json: () => Option },
): void {
  const update = root.command('update').description('updates of this device: status, hold, release, allow');
  update
    .command('status', { isDefault: true })
    .description('what is installed and under way, what failed here before, who holds updates')
    .addOption(json())
    .action((_, command: Command) => updateStatus(contextOf(command)));
  update
    .command('hold')
    .description('nothing is fetched or switched for a while; a trial that has begun goes on')
    .requiredOption('--owner <name>', 'who wants that', owner)
    .option('--for <duration>', 'at most 30 days', duration, 24 * 3_600_000)
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

function owner(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text))
    throw new InvalidArgumentError('Letters, digits, dots, hyphens and underscores, at most 64.');
  return text;
}
