import { createHash } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '@bowline/runtime';

const { O_WRONLY, O_CREAT, O_TRUNC, O_SYNC } = constants;
const GATHER_CHARS = 64 * 1024;

/** A file that is written piece by piece and is there whole, on the disk, or not at all. */
export class DurableWriter {
  readonly #file: string;
  readonly #beside: string;
  readonly #handle: number;
  readonly #hash = createHash('sha256');
  #gathered = '';
  #bytes = 0;

  /** @param beside its name until it is whole. */
  constructor(file: string, beside: string) {
    this.#file = file;
    this.#beside = beside;
    mkdirSync(dirname(beside), { recursive: true, mode: 0o700 });
    this.#handle = openSync(beside, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC, 0o600);
  }

  /** Given so far. */
  get bytes(): number {
    return this.#bytes;
  }

  write(text: string): void {
    this.#gathered += text;
    this.#bytes += Buffer.byteLength(text);
    if (this.#gathered.length >= GATHER_CHARS) this.#flush();
  }

  /** @returns SHA-256 of all of it, hex. */
  end(): string {
    this.#flush();
    closeSync(this.#handle);
    renameSync(this.#beside, this.#file);
    syncFolder(dirname(this.#file));
    return this.#hash.digest('hex');
  }

  giveUp(): void {
    closeSync(this.#handle);
    rmSync(this.#beside, { force: true });
  }

  #flush(): void {
    const bytes = Buffer.from(this.#gathered);
    this.#gathered = '';
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#handle, bytes, at);
  }
}
