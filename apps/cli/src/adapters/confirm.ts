import { createInterface } from 'node:readline/promises';
import { CliError, EXIT } from '../core/cli-error.ts';

/**
 * Asks a person before something that cannot be undone; anything but `y` or `yes` calls it off.
 *
 * @throws CliError `not-confirmed`, also where there is nobody to ask.
 */
export async function confirm(question: string, { yes, signal }: { yes: boolean; signal: AbortSignal }) {
  if (yes) return;
  const declined = (sentence: string) =>
    new CliError('not-confirmed', sentence, {
      exitCode: EXIT.usage,
      advice: 'To do it without a question: --yes',
    });
  if (!process.stdin.isTTY) throw declined('Nobody is here to be asked, so nothing was done.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw declined('Nothing was done.');
  } finally {
    terminal.close();
  }
}
