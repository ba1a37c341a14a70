import type { HistoryRequest } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import type { Cursor, HistorySource, Item } from './item.ts';
import { closeAll, logsIn, markOf, openLog, placeOf, type LogFile } from './log-files.ts';
import { linesOf, rendered, timeOf } from './log-lines.ts';

/** Behind all that a file has: what cannot be unpacked further is said once. */
const ALL = Number.MAX_SAFE_INTEGER;

const ADVICE = 'ask for a shorter range or give a filter';

/**
 * What an app has logged, line by line, from its rotated files too (`APP.log.N`, `.gz`), oldest first. `filter` is a text that a
 * line has to contain. A line without a time of its own has that of the line before it, and without any that of its file; lines
 * keep their order, whatever the clock did meanwhile. What is damaged is left out, with a text in its place.
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
  /** Behind the line that the cursor marks; if that is gone, what is no older than it. */
  async function* lines(cursor: Cursor, signal: AbortSignal): AsyncGenerator<Item> {
    const files = await openLog(folder, app);
    try {
      const place = placeOf(files, cursor.mark);
      const since = place === undefined ? Math.max(from, cursor.at) : from;
      const passes = (at: number) => at >= since && at < to;
      let at = place === undefined ? undefined : cursor.at;
      for (const [index, file] of files.entries()) {
        if (index < (place?.index ?? 0)) continue;
        let end = index === place?.index ? place.offset : 0;
        if (end === ALL) continue;
        try {
          for await (const line of linesOf(file.read(end), end)) {
            signal.throwIfAborted();
            end = line.end;
            at = timeOf(line.text) ?? at;
            const moment = at ?? file.changedAt;
            if (passes(moment) && line.text.includes(filter))
              yield { at: moment, text: rendered(line.text), mark: markOf(file, end) };
          }
        } catch (error) {
          signal.throwIfAborted();
          const note = { at: at ?? file.changedAt, ...noteOf(file, end, error) };
          if (passes(note.at) || passes(file.changedAt)) yield note;
        }
      }
    } finally {
      closeAll(files);
    }
  }
  return {
    estimate: async (signal, enough = Infinity) => {
      let [items, bytes] = [0, 2];
      for await (const { text } of lines({ group: 0, at: from, skip: 0 }, signal)) {
        items += 1;
        bytes += Buffer.byteLength(text) + 1;
        if (bytes > enough) return { items, bytes, advice: ADVICE, isMore: true };
      }
      return { items, bytes, advice: ADVICE };
    },
    async *items(cursor, signal) {
      for await (const item of lines(cursor, signal)) yield { ...item, groupIndex: 0 };
    },
  };
}

function noteOf(file: LogFile, end: number, error: unknown): Pick<Item, 'text'> & { mark: string } {
  const why = error instanceof Error ? error.message : String(error);
  return {
    text: JSON.stringify(`${file.name} cannot be read any further: ${why}`),
    mark: markOf(file, file.isPacked ? ALL : end),
  };
}
