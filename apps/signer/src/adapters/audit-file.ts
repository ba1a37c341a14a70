import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, syncFolder, TransientError } from '@bowline/runtime';
import { endOf, hashOf, olderFiles, olderName, type AuditEnd } from './audit-chain.ts';

export interface AuditEntry {
  operator: string | undefined;
  type: string;
  claims: unknown;
  /** `signed`, `approved`, or the code of the refusal. */
  outcome: string;
  signer?: string;
  /** Entry of the approval by which it was asked for. */
  approval?: number;
  /** Refusals since the entry before this one that were not written, since too many came. */
  unwritten?: number;
}

export interface AuditBounds {
  /** From here on a new file is begun. */
  fileBytes: number;
  /** Kept, the current one included. */
  files: number;
}

/**
 * What was signed and what was refused, one JSON object a line; each names the SHA-256 of the line before it, so that nothing
 * can be taken out of the middle unseen. On disk before anybody gets a signature. The newest lines are in `audit.ndjson`;
 * a full file gets the number of its first entry into its name, and the chain goes on in the next.
 */
export class AuditFile {
  /** Bytes of a last line that was not whole, so that nobody got its signature; an entry of the log says so, too. */
  readonly cutBytes: number;
  readonly #file: string;
  readonly #bounds: AuditBounds;
  #handle: number;
  /** Of the current file, as far as its lines are whole. */
  #bytes: number;
  #firstSeq: number;
  #end: AuditEnd;
  /** There may be the stump of a line behind `#bytes`. */
  #stump: boolean;
  /** What is to be said of the stump that was found at start, until the disk takes it. */
  #repair: AuditEntry | undefined;

  /** @throws ConfigError `audit-broken`: a line was changed or is missing; look at it before signing anything more. */
  constructor(file: string, bounds: AuditBounds, at: number) {
    this.#file = file;
    this.#bounds = bounds;
    let end: AuditEnd | undefined;
    for (const older of olderFiles(file)) {
      const found = endOf(older, end);
      if (found.stumpBytes > 0) throw new ConfigError('audit-broken', `${older}: its last line is not whole`);
      end = found.end;
    }
    this.#handle = openSync(file, 'a', 0o600);
    const found = endOf(file, end);
    this.#end = found.end;
    this.#firstSeq = found.firstSeq;
    this.#bytes = found.bytes;
    this.cutBytes = found.stumpBytes;
    this.#stump = this.cutBytes > 0;
    if (!this.#stump) return;
    this.#repair = {
      operator: undefined,
      type: 'audit',
      claims: { cutBytes: this.cutBytes },
      outcome: 'repaired',
    };
    try {
      this.#writeRepair(at);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error; // else before the next entry
    }
  }

  /** SHA-256 of the last line: it stands for all lines up to it. */
  get hash(): string {
    return this.#end.hash;
  }

  /**
   * @returns the number of the entry, once it is on disk.
   * @throws TransientError `audit-unwritable`: it is not there, and what it was about must not happen.
   */
  append(entry: AuditEntry, at: number): number {
    this.#writeRepair(at);
    return this.#write(entry, at);
  }

  close(): void {
    closeSync(this.#handle);
  }

  #writeRepair(at: number): void {
    if (this.#repair === undefined) return;
    this.#write(this.#repair, at);
    this.#repair = undefined;
  }

  #write(entry: AuditEntry, at: number): number {
    const seq = this.#end.seq + 1;
    const line = JSON.stringify({ seq, at, ...entry, previous: this.#end.hash });
    try {
      this.#cutStump();
      if (this.#bytes >= this.#bounds.fileBytes) this.#rotate();
      this.#stump = true;
      const bytes = Buffer.from(`${line}\n`);
      for (let written = 0; written < bytes.length;) written += writeSync(this.#handle, bytes, written);
      fdatasyncSync(this.#handle);
      this.#stump = false;
      this.#bytes += bytes.length;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TransientError(
        'audit-unwritable',
        `the audit log cannot be written, so nothing is signed: ${why}`,
        {
          cause: error,
        },
      );
    }
    this.#end = { seq, hash: hashOf(line) };
    return seq;
  }

  /** A full disk takes part of a line; the next line must not be glued to it. */
  #cutStump(): void {
    if (!this.#stump) return;
    if (fstatSync(this.#handle).size > this.#bytes) ftruncateSync(this.#handle, this.#bytes);
    this.#stump = false;
  }

  #rotate(): void {
    // Cut off between these two, the next start finds no current file and begins one.
    if (existsSync(this.#file)) renameSync(this.#file, olderName(this.#file, this.#firstSeq));
    const next = openSync(this.#file, 'a', 0o600);
    closeSync(this.#handle);
    this.#handle = next;
    this.#bytes = 0;
    this.#firstSeq = this.#end.seq + 1;
    const older = olderFiles(this.#file);
    for (const oldest of older.slice(0, Math.max(0, older.length + 1 - this.#bounds.files))) rmSync(oldest);
    syncFolder(dirname(this.#file));
  }
}
