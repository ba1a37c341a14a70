import { SEVERITIES } from '@bowline/messages/names';
import { Option, type Command } from 'commander';
import type { Context } from './commands/context.ts';
import { send, type SendOptions } from './commands/send.ts';

export interface SendProgram {
  contextOf: (command: Command) => Context;
  json: () => Option;
}

export function addSend(root: Command, { contextOf, json }: SendProgram): void {
  root
    .command('send')
    .description('hands samples or an event to the collector')
    .argument('[values...]', 'NAME=VALUE, e.g. temperature=21.5; - reads samples as JSON lines')
    .option('--unit <unit>', 'of the samples, e.g. Cel')
    .option('--durable', 'end only when the gateway has them on its disk')
    .option('--event <kind>', 'an event of this kind; the values are its data')
    .addOption(new Option('--severity <severity>', 'of the event').choices([...SEVERITIES]))
    .option('--key <key>', 'by which a repeated event is known')
    .option('--socket <path>', "the collector's ingest socket, if it is not that of the installation")
    .addOption(json())
    .action((values: string[], options: SendOptions, command: Command) =>
      send(contextOf(command), values, options),
    );
}
