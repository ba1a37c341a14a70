import { closeSync, createReadStream, existsSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import type { HistoryRequest } from '@bowline/messages';
import { BowlineError, hasCode, RejectedError } from '@bowline/runtime/errors';
import type { Cursor, HistorySource, Item } from './item.ts';

/** Longer lines are cut: in the answer, and before, where a log is one endless line. */
const MOST_LINE_CHARS = 16 * 1024;
const MOST_READ_CHARS = 64 * 1024;
/** Rotations that may come while the files are opened, one after the other. */
const ROTATIONS = 5;

/**
 * What an app has logged, line by line, from its rotated files too (`APP.log.N`, `.gz`), oldest first. `filter` is a text that a
 * line has to contain. A line without a time of its own has that of the line before it; where a clock was put back, the lines stay
 * in the order in which they were written. What of a file cannot be read (a power cut while it was packed) is said in its place.
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
    const files = openAll(folder, app);
    let at = 0;
    let isInRange = false;
    try {
      for (let file = files.shift(); file !== undefined; file = files.shift()) {
        for await (const line of linesOf(file)) {
          signal.throwIfAborted();
          const moment = line.isNote ? undefined : timeOf(line.text);
          // One line from a clock that was ahead, or that quotes another, must not hide those behind it.
          if (moment !== undefined) isInRange = moment < to;
          if (moment !== undefined && isInRange) at = Math.max(at, moment);
          if (at < begin || !(isInRange || line.isNote)) continue;
          if (line.isNote || line.text.includes(filter)) yield { at, text: rendered(line.text) };
        }
      }
    } finally {
      for (const { handle } of files) closeSync(handle);
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
  return [...rotated.toSorted((a, b) => b.age - a.age).map(({ name }) => name), `${app}.log`];
}

interface OpenFile {
  name: string;
  handle: number;
}

/** All at once: a rotation gives the files other names while they are read, and one would come twice or not at all. */
function openAll(folder: string, app: string): OpenFile[] {
  for (let attempt = 1; ; attempt += 1) {
    const files: OpenFile[] = [];
    try {
      for (const name of filesOf(folder, app))
        files.push({ name, handle: openSync(join(folder, name), 'r') });
      if (attempt > ROTATIONS || files.every((file) => isStillCalledSo(folder, file))) return files;
    } catch (error) {
      // Renamed, or packed, since they were listed; and for a moment after a rotation there is no newest.
      if (!hasCode(error, 'ENOENT') || attempt > ROTATIONS) {
        if (hasCode(error, 'ENOENT')) return files;
        for (const { handle } of files) closeSync(handle);
        throw error;
      }
    }
    for (const { handle } of files) closeSync(handle);
  }
}

const isStillCalledSo = (folder: string, { name, handle }: OpenFile): boolean =>
  fstatSync(handle).ino === statSync(join(folder, name)).ino;

interface Line {
  text: string;
  /** Not of the log: what there is to say about it. */
  isNote?: true;
}

async function* linesOf({ name, handle }: OpenFile): AsyncGenerator<Line> {
  const bytes = createReadStream(name, { fd: handle });
  const input = name.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  bytes.once('error', (error) => input.destroy(error));
  let begun = '';
  try {
    for await (const chunk of input.setEncoding('utf8') as AsyncIterable<string>) {
      const pieces = chunk.split('\n');
      const last = pieces.pop() ?? '';
      for (const piece of pieces) {
        yield { text: whole(begun, piece) };
        begun = '';
      }
      begun = whole(begun, last);
    }
  } catch (error) {
    if (error instanceof BowlineError || !(error instanceof Error)) throw error;
    yield { text: `${name} cannot be read further: ${error.message}`, isNote: true };
  } finally {
    input.destroy();
    bytes.destroy();
  }
  if (begun !== '') yield { text: begun };
}

/** A line or its beginning, up to the longest that is read. */
const whole = (begun: string, more: string): string =>
  (begun + more.slice(0, MOST_READ_CHARS - begun.length)).replace(/\r$/, '');

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
