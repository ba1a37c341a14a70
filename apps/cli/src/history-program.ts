import { InvalidArgumentError, Option, type Command } from 'commander';
import { duration } from './arguments.ts';
import type { Context } from './commands/context.ts';
import { historySeries, showHistory, uploadHistory } from './commands/history.ts';
import { pastMoment } from './core/past-moment.ts';

/** `bowline history`: what this device has recorded by itself. */
export function addHistory(
  root: Command,
  { contextOf, json }: { contextOf: (command: Command) => Context; json: () => Option },
): void {
  const history = root.command('history').description('what this device has recorded: list, show, upload');
  history
    .command('list', { isDefault: true })
    .description('the names of the series')
    .addOption(json())
    .action((_, command: Command) => historySeries(contextOf(command)));
  history
    .command('show')
    .description('the values of one series')
    .argument('<series>', 'of the list')
    .addOption(fromOption())
    .addOption(toOption())
    .option('--resolution <duration>', 'join what falls into the same stretch, e.g. 1m', duration)
    .addOption(json())
    .action((series: string, options: { from: number; to: number; resolution?: number }, command: Command) =>
      showHistory(contextOf(command), series, { ...options, resolutionMs: options.resolution }),
    );
  history
    .command('upload')
    .description('uploads now what only this device has, or a log that is uploaded on a schedule')
    .argument('[log]', 'its name in history.uploads')
    .addOption(json())
    .action((log: string | undefined, _, command: Command) => uploadHistory(contextOf(command), log));
}

export const fromOption = () => momentOption('--from <moment>', 'so long ago (2h), or a date and time', '1h');
export const toOption = () => momentOption('--to <moment>', 'likewise', 'now');

const momentOption = (flag: string, description: string, fallback: string) =>
  new Option(flag, description).argParser(moment).default(moment(fallback), fallback);

function moment(text: string): number {
  const at = pastMoment(text, Date.now());
  if (at === undefined)
    throw new InvalidArgumentError('Write it as 2h (so long ago), now, or 2026-11-25T14:00.');
  return at;
}
