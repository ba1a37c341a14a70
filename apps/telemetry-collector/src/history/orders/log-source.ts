import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import type { HistoryRequest } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import type { Cursor, HistorySource, Item } from './item.ts';

/** Longer lines are cut. */
const MOST_LINE_CHARS = 16 * 1024;

/**
 * What an app has logged, line by line, from its rotated files too (`APP.log.N`, `.gz`), oldest first. `filter` is a text that a
 * line has to contain. A line without a time of its own has that of the line before it.
 *
 * @throws RejectedError `no-such-log`
 */
export function logSource(
  folder: string,
  { app = '', from, to, filter = '' }: HistoryRequest,
): HistorySource {
  const known = logsIn(folder);
  if (!known.includes(app)) {
    throw new RejectedError(
      'no-such-log',
      app === ''
        ? `the order names no app; there are logs of ${known.join(', ')}`
        : `there is no log of "${app}"; there are: ${known.join(', ')}`,
    );
  }
  async function* lines(begin: number, signal: AbortSignal): AsyncGenerator<Item> {
    let at = 0;
    for (const file of filesOf(folder, app)) {
      for await (const line of linesOf(file)) {
        signal.throwIfAborted();
        at = Math.max(at, timeOf(line) ?? at);
        if (at >= to) return;
        if (at >= begin && line.includes(filter)) yield { at, text: rendered(line) };
      }
    }
  }
  return {
    estimate: async (signal) => {
      let [items, bytes] = [0, 2];
      for await (const { text } of lines(from, signal)) {
        items += 1;
        bytes += Buffer.byteLength(text) + 1;
      }
      return { items, bytes, advice: 'ask for a shorter range or give a filter' };
    },
    async *items(cursor: Cursor, signal) {
      let toSkip = cursor.skip;
      for await (const item of lines(Math.max(from, cursor.at), signal)) {
        if (toSkip > 0 && item.at === cursor.at) toSkip -= 1;
        else yield { ...item, groupIndex: 0 };
      }
    },
  };
}

/** Apps of which there are logs. */
export function logsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => /^([a-z0-9][a-z0-9.-]*)\.log$/.exec(name)?.[1] ?? [])
    .toSorted();
}

/** Oldest first: logrotate counts up from the newest. */
function filesOf(folder: string, app: string): string[] {
  const rotated = readdirSync(folder).flatMap((name) => {
    const match = name.startsWith(`${app}.log.`)
      ? /^\.(\d{1,4})(?:\.gz)?$/.exec(name.slice(`${app}.log`.length))
      : null;
    return match === null ? [] : [{ name, age: Number(match[1]) }];
  });
  const names = [...rotated.toSorted((a, b) => b.age - a.age).map(({ name }) => name), `${app}.log`];
  return names.map((name) => join(folder, name));
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const bytes = createReadStream(file);
  const input = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  // What fails to be read must end the loop with its error, not the process.
  const failed = new Promise<never>((_, reject) => {
    bytes.on('error', reject);
    input.on('error', reject);
  });
  failed.catch(() => undefined);
  const reader = createInterface({ input, crlfDelay: Infinity });
  const iterator = reader[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), failed]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    reader.close();
    bytes.destroy();
  }
}

/** Of a line as our logger writes it (libs/runtime/src/logger.ts). */
function timeOf(line: string): number | undefined {
  const text = /"time":"([^"]{10,40})"/.exec(line)?.[1];
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** What is no JSON object comes as a text. */
function rendered(line: string): string {
  const cut = line.slice(0, MOST_LINE_CHARS);
  if (!cut.startsWith('{')) return JSON.stringify(cut);
  try {
    return JSON.stringify(JSON.parse(cut));
  } catch {
    return JSON.stringify(cut);
  }
}
