import { styleText } from 'node:util';
import Table from 'cli-table3';
import { BowlineError } from '@bowline/runtime/errors';
import { CliError, EXIT } from '../core/cli-error.ts';
import { harmless } from '../core/harmless.ts';

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal only (and not with NO_COLOR): styleText looks at the stream. */
export const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout, validateStream: true });

export const print = (text: string): void => {
  process.stdout.write(`${harmless(text)}\n`);
};

/** Beside what a command prints: for people, never part of what a program reads. */
export const remark = (text: string): void => {
  process.stderr.write(`${harmless(text)}\n`);
};

export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));

/** Every place where cli-table3 would draw a line. */
const RULES = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
] as const;
const BORDERLESS = { ...Object.fromEntries(RULES.map((place) => [place, ''])), middle: '  ' };

/** Columns without borders, so that a line can be cut, grepped and copied. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: head.map((title) => paint('dim', title)),
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  made.push(...rows.map((row) => [...row]));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Says what went wrong (as JSON on standard output for programs) and returns the exit code. Never a stack. */
export function reportError(error: unknown, json: boolean): number {
  const { code, sentence, advice, exitCode } = explain(error);
  if (json) printJson({ error: { code, message: sentence, ...(advice === '' ? {} : { advice }) } });
  else process.stderr.write(harmless(`${sentence}\n${advice === '' ? '' : `${advice}\n`}`));
  return exitCode;
}

function explain(error: unknown): { code: string; sentence: string; advice: string; exitCode: number } {
  if (error instanceof CliError) {
    return { code: error.code, sentence: error.message, advice: error.advice, exitCode: error.exitCode };
  }
  const code = error instanceof BowlineError ? error.code : 'internal';
  const sentence = error instanceof Error ? error.message : String(error);
  const exitCode = code.startsWith('pm2-') ? EXIT.deviceAway : EXIT.internal;
  const advice = code === 'internal' ? 'This is a fault of bowline itself; please report it.' : '';
  return { code, sentence: sentence.split('\n')[0] ?? '', advice, exitCode };
}
