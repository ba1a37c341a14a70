import { RejectedError } from '@bowline/runtime/errors';
import type { Progress } from './command.ts';
import { CutResult } from './outcome.ts';
import { OutputLines, type OutputLine } from './output-lines.ts';

/** Of a line that is told to people. */
const SHOWN_CHARS = 200;
export const shown = (text: string): string => text.slice(0, SHOWN_CHARS);
const PROGRESS_MEMBERS = ['percent', 'note', 'data'];

/**
 * What a plug-in says on its standard output: lines of JSON, each its progress, the last its result. Nobody knows which line
 * is the last before the end: one that looks like progress is told as such at once.
 */
export class ProgramOutput {
  readonly #lines: OutputLines;
  readonly #onProgress: (progress: Progress) => void;
  #say: (text: string) => void = () => {};
  #last: OutputLine | undefined;

  /** @param maxChars of a line that are kept. */
  constructor(onProgress: (progress: Progress) => void, maxChars: number) {
    this.#onProgress = onProgress;
    this.#lines = new OutputLines((line) => this.#take(line), maxChars);
  }

  /** @param say gets what is no JSON and not the last line. */
  push(chunk: string, say: (text: string) => void): void {
    this.#say = say;
    this.#lines.push(chunk);
  }

  /**
   * After the end: the last line as JSON, `null` if there was none. Of one that is too long to be kept only the beginning is
   * there, and nobody can say whether it is JSON.
   *
   * @throws RejectedError `invalid-result`
   */
  result(): unknown {
    this.#lines.end();
    if (this.#last === undefined) return null;
    const { text, length, bytes } = this.#last;
    if (text.length < length) return new CutResult(text, bytes);
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new RejectedError(
        'invalid-result',
        `the last line of its output must be its result as JSON, not: ${shown(text)}`,
        { cause: error },
      );
    }
  }

  /** After the end: the last line is JSON, and not just progress. */
  hasResult(): boolean {
    this.#lines.end();
    return this.#last !== undefined && isJson(this.#last) && asProgress(this.#last) === undefined;
  }

  #take(line: OutputLine): void {
    if (line.text.trim() === '') return;
    const before = this.#last;
    if (before !== undefined && !isJson(before)) this.#say(before.text);
    this.#last = line;
    const progress = asProgress(line);
    if (progress !== undefined) this.#onProgress(progress);
  }
}

type LineText = Pick<OutputLine, 'text' | 'length'>;

/** A line of JSON that is progress; undefined if it is anything else. */
export function asProgress(line: LineText): Progress | undefined {
  const value = parsed(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { percent, note, data } = value as Record<string, unknown>;
  const names = Object.keys(value);
  if (names.length === 0 || !names.every((name) => PROGRESS_MEMBERS.includes(name))) return undefined;
  if (percent !== undefined && !(typeof percent === 'number' && percent >= 0 && percent <= 100))
    return undefined;
  if (note !== undefined && !(typeof note === 'string' && note.length <= 4096)) return undefined;
  if (data !== undefined && (typeof data !== 'object' || data === null || Array.isArray(data)))
    return undefined;
  return value;
}

const isJson = (line: LineText): boolean => parsed(line) !== undefined;

function parsed({ text, length }: LineText): unknown {
  if (text.length < length) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
