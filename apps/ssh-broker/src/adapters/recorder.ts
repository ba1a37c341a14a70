import {
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SshGrant } from '@bowline/messages';
import { hasCode } from '@bowline/runtime/errors';
import { asciicast } from '../core/asciicast.ts';
import { DurableWriter } from './durable-writer.ts';

export interface RecorderOptions {
  /** Where recordings are kept. */
  folder: string;
  /** Of one terminal; its recording ends there, and the terminal with it. */
  maxBytes: number;
  /** Recordings kept; the oldest go first. */
  keep: number;
  /** Of one session, at most; the first of them. */
  keepOfSession: number;
  owner: { uid: number; gid: number } | undefined;
}

export interface Recording {
  file: string;
  bytes: number;
  sha256: string;
  /** Its end is missing. */
  cut?: true;
}

const LOGS = 'rec';
const RECORDED = /^(\d{1,10})\.out$/;
/** What `stty size` says: rows, columns. */
const SIZE = /^(\d{1,4}) (\d{1,4})$/m;
/** Where nothing says how large a terminal was. */
const WIDTH = 80;
const HEIGHT = 24;
/** Lines around what was recorded. */
const FRAME_BYTES = 4096;
/** Of all that is recorded in one session: some seconds of work at the most, whatever its user has written there. */
const MOST_LINES = 500_000;
const LINES_A_TURN = 2000;
/** A recording is at most so many times what was put out: each event has its time. */
const CAST_FACTOR = 2;
/** Until it is whole; a crash may leave one. */
const UNFINISHED = '.new';
const KEPT = /\.cast(?:\.new)?$/;
/** Of the files in a folder that somebody else has filled. */
const MOST_LOOKED_AT = 4096;

/**
 * Records what is put out on the terminals of a session. Advisory: it runs as the session's user, who can evade it, and root
 * can do so without a trace.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  #linesLeft = MOST_LINES;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Makes the place where the terminals of a session are recorded, for the session's user to write. */
  prepare(folder: string): { folder: string; maxBytes: number } {
    const logs = join(folder, LOGS);
    mkdirSync(logs, { mode: 0o700 });
    const { owner, maxBytes } = this.#options;
    if (owner !== undefined) chownSync(logs, owner.uid, owner.gid);
    return { folder: logs, maxBytes };
  }

  /**
   * After the end: keeps what was recorded, as asciicast. The folder was the session's user's, so whatever it holds is bounded: he
   * must not push out the recordings of others with files of his own, nor hold up the broker.
   *
   * @param at the device's wall clock, epoch milliseconds, for what does not say when it began.
   * @returns what was kept, and how many beyond the bound were not.
   */
  async collect(
    grant: Pick<SshGrant, 'sessionId' | 'user' | 'by'>,
    folder: string,
    at: number,
  ): Promise<{ kept: Recording[]; left: number }> {
    const found = recordedIn(join(folder, LOGS));
    const kept: Recording[] = [];
    let taken = 0;
    for (const name of found.slice(0, this.#options.keepOfSession)) {
      if (this.#linesLeft <= 0) break;
      taken += 1;
      const recording = await this.#keep(grant, join(folder, LOGS, name), at);
      if (recording !== undefined) kept.push(recording);
    }
    this.#forgetOldest();
    return { kept, left: found.length - taken };
  }

  /** @param recorded without its ending. */
  async #keep(
    { sessionId, user, by }: Pick<SshGrant, 'sessionId' | 'user' | 'by'>,
    recorded: string,
    at: number,
  ): Promise<Recording | undefined> {
    // `script` bounds both by `maxBytes`, without the lines by which it begins and ends.
    const most = this.#options.maxBytes + FRAME_BYTES;
    const [output, timing] = [
      readPlainFile(`${recorded}.out`, most),
      readPlainFile(`${recorded}.timing`, most),
    ];
    if (output === undefined || timing === undefined) return undefined;
    const size = readPlainFile(`${recorded}.size`, FRAME_BYTES);
    const [, rows = HEIGHT, columns = WIDTH] = SIZE.exec(size?.content.toString('latin1') ?? '') ?? [];
    const header = {
      timestamp: Math.floor((size?.changedAtMs ?? at) / 1000),
      title: `${user}, ${by}, ${sessionId}`,
      width: Number(columns),
      height: Number(rows),
    };
    const file = join(this.#options.folder, `${sessionId}-${basename(recorded)}.cast`);
    return this.#write(file, asciicast(timing.content.toString('latin1'), output.content, header));
  }

  /** In turns, since other sessions may be due. */
  async #write(file: string, pieces: Iterable<string>): Promise<Recording> {
    const writer = new DurableWriter(file, `${file}${UNFINISHED}`);
    let cut = false;
    try {
      for (const piece of pieces) {
        cut = writer.bytes + piece.length > CAST_FACTOR * this.#options.maxBytes || this.#linesLeft <= 0;
        if (cut) break;
        writer.write(piece);
        this.#linesLeft -= 1;
        if (this.#linesLeft % LINES_A_TURN === 0) await nextTurn();
      }
      const sha256 = writer.end();
      return { file, bytes: writer.bytes, sha256, ...(cut ? { cut: true as const } : {}) };
    } catch (error) {
      writer.giveUp();
      throw error;
    }
  }

  #forgetOldest(): void {
    const { folder, keep } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = readdirSync(folder).filter((name) => KEPT.test(name));
    const byAge = files.toSorted(
      (a, b) => lstatSync(join(folder, a)).mtimeMs - lstatSync(join(folder, b)).mtimeMs,
    );
    for (const name of byAge.slice(0, Math.max(0, files.length - keep))) rmSync(join(folder, name));
  }
}

/** Names of what `script` wrote, without their endings, oldest first. */
function recordedIn(logs: string): string[] {
  const names: string[] = [];
  const folder = opendirSync(logs);
  try {
    for (let looked = 0; looked < MOST_LOOKED_AT; looked += 1) {
      const entry = folder.readSync();
      if (entry === null) break;
      const [, name] = RECORDED.exec(entry.name) ?? [];
      if (name !== undefined) names.push(name);
    }
  } finally {
    folder.closeSync();
  }
  const born = (name: string) =>
    lstatSync(join(logs, `${name}.out`), { throwIfNoEntry: false })?.birthtimeMs ?? Infinity;
  return names
    .map((name) => ({ name, at: born(name) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ name }) => name);
}

/** The folder is the session's user's: what is a link (of either kind), a pipe or too large there is not read. */
function readPlainFile(file: string, maxBytes: number): { content: Buffer; changedAtMs: number } | undefined {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP', 'ENXIO', 'EACCES')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile() || stat.nlink !== 1 || stat.size > maxBytes) return undefined;
    return { content: readFileSync(handle), changedAtMs: stat.mtimeMs };
  } finally {
    closeSync(handle);
  }
}
