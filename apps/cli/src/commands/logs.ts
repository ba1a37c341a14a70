import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import type { ChildProcess } from 'node:child_process';
import { appsIn, knownApp, mustRun, pm2Of } from '../adapters/processes.ts';
import { paint, print } from '../adapters/terminal.ts';
import { parseLogLine } from '../core/log-line.ts';
import { PastLines } from '../core/past-lines.ts';
import type { Context } from './context.ts';

export interface LogsOptions {
  lines: number;
  raw: boolean;
  follow: boolean;
}

/** pm2 prints the last lines in one go; a pause this long says that what follows is new. */
const PAST_ENDS_AFTER_MS = 150;

/** `bowline logs APP`: what the app writes, through pm2. Ends with Ctrl-C, or after the last lines with --no-follow. */
export async function logs(
  { installation, signal, json }: Context,
  app: string,
  { lines, raw, follow }: LogsOptions,
): Promise<void> {
  const pm2 = pm2Of(installation());
  await mustRun(pm2);
  knownApp(await appsIn(pm2), app);

  const show = (line: string) => print(raw || json ? line : forPeople(line));
  const past = new PastLines(lines, show);
  const tail = pm2.tail(app, { lines: past.linesToAskFor, follow });
  signal.addEventListener('abort', () => tail.kill('SIGTERM'), { once: true });
  // Whoever reads us may leave (`| head`): then there is nothing more to do.
  process.stdout.on('error', () => tail.kill('SIGTERM'));
  await Promise.all([
    readLines(
      tail.stdout,
      (line) => past.take(stripVTControlCharacters(line)),
      () => past.end(),
    ),
    readLines(
      tail.stderr,
      (line) => process.stderr.write(`${line}\n`),
      () => undefined,
    ),
    new Promise((resolve) => tail.once('close', resolve)),
  ]);
}

async function readLines(
  stream: ChildProcess['stdout'],
  take: (line: string) => void,
  pause: () => void,
): Promise<void> {
  if (stream === null) return;
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    clearTimeout(timer);
    take(line);
    timer = setTimeout(pause, PAST_ENDS_AFTER_MS);
  }
  clearTimeout(timer);
  pause();
}

const LEVEL_STYLE = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const;

function forPeople(line: string): string {
  const record = parseLogLine(line);
  if (record === undefined) return line;
  const { time, level, message, fields } = record;
  const style = LEVEL_STYLE[level as keyof typeof LEVEL_STYLE] ?? 'reset';
  return `${paint('dim', time)} ${paint(style, level.padEnd(5))} ${message}${fields === '' ? '' : ` ${paint('dim', fields)}`}`;
}
