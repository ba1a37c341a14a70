import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { redact } from '@bowline/runtime';
import { redactText } from '@bowline/runtime/redact';

/** The JSON files of a folder, without secrets; of one that cannot be read, why. */
export const readConfiguration = (folder: string): Record<string, unknown> =>
  eachFile(folder, '.json', (file) => redact(JSON.parse(readFileSync(file, 'utf8'))));

/** The ends of the logs in a folder, without secrets. */
export const readLogs = (folder: string, maxBytes: number): Record<string, unknown> =>
  eachFile(folder, '.log', (file) => redactText(endOf(file, maxBytes)));

function eachFile(folder: string, suffix: string, read: (file: string) => unknown): Record<string, unknown> {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  } catch (error) {
    return { unreadable: String(error) };
  }
  return Object.fromEntries(
    names.toSorted().map((name) => {
      try {
        return [name.slice(0, -suffix.length), read(join(folder, name))];
      } catch (error) {
        // A syntax error would quote what stands there, secrets included.
        return [
          name.slice(0, -suffix.length),
          { unreadable: error instanceof SyntaxError ? 'not JSON' : String(error) },
        ];
      }
    }),
  );
}

/** Whole lines only, unless one alone is longer. */
function endOf(file: string, maxBytes: number): string {
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.min(size, maxBytes));
    readSync(handle, bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString();
    return size > bytes.length ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    closeSync(handle);
  }
}
