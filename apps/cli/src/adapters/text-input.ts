import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { CliError, EXIT } from '../core/cli-error.ts';

/**
 * What is not to stand on the command line, where every user of the machine sees it while the command runs.
 *
 * @param file `-` is standard input.
 * @throws CliError `file-unreadable`
 */
export async function readText(file: string): Promise<string> {
  try {
    return (file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8')).trim();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('file-unreadable', `${file} cannot be read: ${why}`, {
      exitCode: EXIT.usage,
      advice: '',
      cause: error,
    });
  }
}

/**
 * A value as it was given: itself, or `@FILE` for what a file holds, `@-` for standard input.
 *
 * @throws CliError `file-unreadable`
 */
export const readGiven = async (given: string): Promise<string> =>
  given.length > 1 && given.startsWith('@') ? readText(given.slice(1)) : given;
