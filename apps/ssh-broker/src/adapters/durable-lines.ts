import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isDiskFull, syncFolder, writeFileDurably } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';

const { O_WRONLY, O_APPEND, O_CREAT, O_SYNC } = constants;

/**
 * A file of lines that only grows, each on the disk when `append` returns. What a crash or a full disk left of a line is cut away: it
 * was never promised to anybody.
 */
export class DurableLines {
  readonly #file: string;
  /** Up to here it is whole lines. */
  #bytes: number;

  constructor(file: string) {
    this.#file = file;
    const held = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    this.#bytes = held.lastIndexOf(0x0a) + 1;
    if (held.length > this.#bytes) truncateSync(file, this.#bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  all(): string[] {
    return linesOf(this.#file);
  }

  /** @throws what the disk says ({@link isUnwritable}); nothing of the line is there then. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    if (!existsSync(this.#file)) {
      closeSync(openSync(this.#file, O_WRONLY | O_CREAT, 0o600));
      syncFolder(dirname(this.#file));
    }
    const handle = openSync(this.#file, O_WRONLY | O_APPEND | O_SYNC);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
    } catch (error) {
      truncateSync(this.#file, this.#bytes);
      throw error;
    } finally {
      closeSync(handle);
    }
    this.#bytes += bytes.length;
  }

  /** Puts the file aside, in the place of the one that lies there, and begins anew. */
  setAside(as: string): void {
    if (existsSync(this.#file)) renameSync(this.#file, as);
    this.#bytes = 0;
  }

  replace(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}\n`).join('');
    writeFileDurably(this.#file, text);
    this.#bytes = Buffer.byteLength(text);
  }

  clear(): void {
    if (existsSync(this.#file)) truncateSync(this.#file);
    this.#bytes = 0;
  }
}

/** The disk takes nothing, now or for good: no reason to end, or to end a session. */
export const isUnwritable = (error: unknown): boolean =>
  isDiskFull(error) || hasCode(error, 'EROFS', 'EIO', 'EFBIG');

/** Of a file that may be absent. */
export function linesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
}
