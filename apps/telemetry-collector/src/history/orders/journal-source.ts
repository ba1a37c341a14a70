import { spawn } from 'node:child_process';
import type { HistoryRequest } from '@bowline/messages';
import { childEnvironment } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { LineSplitter } from '../../core/plugins/split-lines.ts';
import {
  cursorOf,
  isJournalEntry,
  type JournalEntry,
  matchesOf,
  rendered,
  timeOf,
} from '../../core/journal-entry.ts';
import type { HistorySource, Item } from './item.ts';

/** An entry whose JSON is longer is left out as a whole, with a note in its place. */
const MOST_ENTRY_CHARS = 2 ** 20;
/** Stands for one among the lines. */
const TOO_LONG: unique symbol = Symbol('too long');
const MOST_STDERR_CHARS = 500;
const FIELDS = 'MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_UNIT,UNIT';

const ADVICE = 'ask for a shorter range, one unit or give a filter';

/**
 * What stands in the system's journal, as journalctl hands it out, oldest first. `app` is a unit or the name that a program logs
 * under; `filter` is a text that an entry has to contain. An answer that was cut off goes on behind the journal's own cursor.
 *
 * @param command journalctl, and options that say where the journal is.
 * @throws RejectedError `no-journal` from `estimate`: this device has none, or none that we may read.
 */
export function journalSource(
  command: readonly string[],
  { app, from, to, filter = '' }: HistoryRequest,
): HistorySource {
  async function* entries(begin: readonly string[], signal: AbortSignal): AsyncGenerator<Item> {
    const end = `--until=@${to / 1000}`;
    let at = from;
    let mark: string | undefined;
    for await (const line of linesOf(command, [...begin, end, ...matchesOf(app)], signal)) {
      if (line === TOO_LONG) {
        const message = `An entry of more than ${MOST_ENTRY_CHARS} characters is left out.`;
        const text = JSON.stringify({ time: new Date(at).toISOString(), message });
        yield { at, text, ...(mark === undefined ? {} : { mark }) };
        continue;
      }
      const entry = parsed(line);
      const moment = timeOf(entry);
      if (moment < from || moment >= to) continue;
      // A clock that was put back leaves the order of the entries alone.
      at = Math.max(at, moment);
      mark = cursorOf(entry);
      const text = rendered(entry);
      if (text.includes(filter)) yield { at, text, mark };
    }
  }
  const fromStart = [`--since=@${from / 1000}`];
  return {
    estimate: async (signal, enough = Infinity) => {
      await mustBeReadable(command, signal);
      let [items, bytes] = [0, 2];
      for await (const { text } of entries(fromStart, signal)) {
        items += 1;
        bytes += Buffer.byteLength(text) + 1;
        if (bytes > enough) return { items, bytes, advice: ADVICE, isMore: true };
      }
      return { items, bytes, advice: ADVICE };
    },
    async *items({ mark }, signal) {
      const begin = mark === undefined ? fromStart : [`--after-cursor=${mark}`];
      for await (const item of entries(begin, signal)) yield { ...item, groupIndex: 0 };
    },
  };
}

/** journalctl says nothing and succeeds where there is no journal at all. */
async function mustBeReadable(command: readonly string[], signal: AbortSignal): Promise<void> {
  for await (const line of linesOf(command, ['--lines=1'], signal)) {
    if (line !== TOO_LONG) parsed(line);
    return;
  }
  throw noJournal('there is nothing in it; is systemd-journald running?');
}

const noJournal = (why: string, cause?: unknown) =>
  new RejectedError('no-journal', `the journal of this device cannot be read: ${why}`, { cause });

function parsed(line: string): JournalEntry {
  const entry: unknown = JSON.parse(line);
  if (!isJournalEntry(entry)) throw noJournal('journalctl printed something else than entries');
  return entry;
}

/** What journalctl prints; it is ended when nobody reads on. */
async function* linesOf(
  [program = '', ...options]: readonly string[],
  args: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string | typeof TOO_LONG> {
  const child = spawn(
    program,
    [...options, '--no-pager', '--quiet', '--all', '--output=json', `--output-fields=${FIELDS}`, ...args],
    { cwd: '/', env: { ...childEnvironment(), LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, MOST_STDERR_CHARS);
  });
  const ended = new Promise<{ code: number | null; cause?: Error }>((resolve) => {
    child.once('error', (cause) => resolve({ code: null, cause }));
    child.once('close', (code) => resolve({ code }));
  });
  const stop = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const lines = new LineSplitter(MOST_ENTRY_CHARS);
    child.stdout.setEncoding('utf8');
    for await (const chunk of child.stdout as AsyncIterable<string>) {
      signal.throwIfAborted();
      const before = lines.tooLong;
      yield* lines.push(chunk);
      for (let number = before; number < lines.tooLong; number += 1) yield TOO_LONG;
    }
    const { code, cause } = await ended;
    signal.throwIfAborted();
    if (cause !== undefined) throw noJournal(cause.message, cause);
    if (code !== 0) throw noJournal(complaint.trim() || `journalctl ended with ${code}`);
    yield* lines.end();
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
