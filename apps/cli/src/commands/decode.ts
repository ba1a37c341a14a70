import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { explainFrame, framesIn, type ExplainedMessage, type Side } from '../core/explain-frame.ts';
import { timeOfDay } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline decode [FILE]`: what captured frames say. Returns the exit code: not 0 if one of them breaks the contract. */
export async function decode(
  { json }: Context,
  file: string | undefined,
  { from, payload }: { from: Side | undefined; payload: boolean },
): Promise<number> {
  const frames = framesIn(file === undefined || file === '-' ? await text(process.stdin) : read(file));
  const explained = frames.map((frame, index) => ({ frame: index + 1, found: explainFrame(frame, from) }));
  const bad = explained.filter(({ found }) => !Array.isArray(found)).length;
  if (json) {
    printJson({
      frames: explained.map(({ frame, found }) =>
        Array.isArray(found) ? { frame, messages: found } : { frame, error: found },
      ),
    });
  } else {
    for (const { frame, found } of explained) {
      if (Array.isArray(found)) found.forEach((message) => print(line(frame, message, payload)));
      else
        print(
          `${String(frame).padStart(4)}  ${paint('red', `not understood: ${found.why} (${found.code})`)}`,
        );
    }
    if (frames.length === 0) print('There is no frame in it.');
  }
  return bad === 0 ? EXIT.ok : EXIT.notUnderstood;
}

function line(
  frame: number,
  { from, type, lane, seq, sentAt, says, payload }: ExplainedMessage,
  full: boolean,
): string {
  const arrow = from === 'device' ? '↑' : '↓';
  const place = lane === undefined ? '' : ` ${lane}/${seq ?? '?'}`;
  const head = `${String(frame).padStart(4)}  ${arrow} ${timeOfDay(sentAt)}  ${paint('bold', type)}${place}: ${says}`;
  return full ? `${head}\n${JSON.stringify(payload, null, 2)}` : head;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError('file-unreadable', `${file} cannot be read.`, {
      exitCode: EXIT.usage,
      advice: 'Name a file with one frame a line, or pipe the frames in.',
      cause: error,
    });
  }
}
