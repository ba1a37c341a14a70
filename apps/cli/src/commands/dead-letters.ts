import type { DeadLetterView } from '@bowline/messages/hub';
import { askGateway, type GatewayAddress } from '../adapters/gateway.ts';
import { print, printJson, reportError, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime, size } from '../core/format.ts';
import type { Context } from './context.ts';

const addressOf = ({ version, installation }: Context) => ({ ...installation(), version });

/** `bowline dead-letters`: messages that the server rejected for good, newest first. */
export async function listDeadLetters(context: Context): Promise<void> {
  const { letters } = await askGateway(addressOf(context), 'deadLetters', {});
  if (context.json) return printJson({ letters });
  if (letters.length === 0) return print('No dead letters.');
  print(table(['number', 'when', 'lane', 'seq', 'type', 'size', 'code', 'why'], letters.map(rowOf)));
}

/** `bowline dead-letters show NUMBER`: the message itself, JSON. */
export async function showDeadLetter(context: Context, number: number): Promise<void> {
  printJson((await askGateway(addressOf(context), 'deadLetter', { number })).message);
}

/** `bowline dead-letters resend|purge`. Returns the exit code: a number that there is not is a mistake worth telling. */
export async function settleDeadLetters(
  context: Context,
  what: 'resend' | 'purge',
  wanted: readonly number[],
  all: boolean,
): Promise<number> {
  const address = addressOf(context);
  const numbers = all ? await allNumbers(address) : [...wanted];
  if (numbers.length === 0 && !all) {
    throw new CliError('usage', 'Which ones?', {
      exitCode: EXIT.usage,
      advice: `Name their numbers (bowline dead-letters shows them), or all of them: bowline dead-letters ${what} --all`,
    });
  }
  const request = what === 'resend' ? 'resendDeadLetters' : 'purgeDeadLetters';
  const done = numbers.length === 0 ? [] : (await askGateway(address, request, { numbers })).numbers;
  const unknown = numbers.filter((number) => !done.includes(number));
  if (context.json) printJson({ numbers: done, unknown });
  else print(`${done.length} ${what === 'resend' ? 'will be sent again' : 'forgotten'}.`);
  if (unknown.length === 0 || context.json) return unknown.length === 0 ? EXIT.ok : EXIT.usage;
  const error = new CliError('unknown-dead-letter', `There is no dead letter ${unknown.join(', ')}.`, {
    exitCode: EXIT.usage,
    advice: 'See which there are: bowline dead-letters',
  });
  return reportError(error, false);
}

async function allNumbers(address: GatewayAddress): Promise<number[]> {
  const { letters } = await askGateway(address, 'deadLetters', {});
  return letters.map(({ number }) => number);
}

const rowOf = ({ number, at, lane, seq, type, bytes, code, detail }: DeadLetterView): string[] => [
  String(number),
  dayAndTime(at),
  lane,
  String(seq),
  type,
  size(bytes),
  code,
  detail,
];
