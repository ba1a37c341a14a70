import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { redact } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';

/** What goes into an ack must leave room for everything else in it. */
const LINES = 20;
const LINE_CHARS = 400;
const READ_BYTES = 16 * 1024;

/** The last lines of log files, each file's own, without secrets; a file that is not there has none. */
export function tailOf(files: readonly string[]): string[] {
  return boundedLines(files.flatMap((file) => (file === '' ? [] : endOf(file).split('\n').slice(-LINES))));
}

/** The last of these lines, short enough for an ack, without secrets. */
export function boundedLines(lines: readonly string[]): string[] {
  const text = lines.filter((line) => line.trim() !== '').slice(-LINES);
  return text.map((line) => String(redact(line)).slice(0, LINE_CHARS));
}

function endOf(file: string): string {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.min(size, READ_BYTES));
    const read = readSync(handle, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(handle);
  }
}
