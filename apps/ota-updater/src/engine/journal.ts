import { closeSync, constants, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Logger } from '@bowline/runtime';
import { readFileIfPresent, syncFolder, writeFileDurably } from '@bowline/runtime';
import { InternalError } from '@bowline/runtime/errors';
import { Ledger, type HigherVersion, type LedgerRecord } from '../core/ledger.ts';

const { O_APPEND, O_CREAT, O_SYNC, O_WRONLY } = constants;

/** Above this the journal is written anew as one record; bytes. Records are a few hundred bytes each. */
const COMPACT_BYTES = 512 * 1024;

export interface JournalOptions {
  file: string;
  higher: HigherVersion;
  log: Logger;
  /** For the wall clock in records, epoch milliseconds. */
  nowMs: () => number;
  /** Where a test may end the process. */
  checkpoint?: (where: string) => void;
}

/**
 * The journal of updates: one line a record, `CRC32 JSON`, appended through O_SYNC, so that a record is on the disk when
 * `append` returns. A line that was cut off by a crash is dropped. One that is damaged elsewhere is skipped, and the file
 * kept beside as `.damaged`: the ledger is what the sound records say.
 */
export class Journal {
  readonly ledger: Ledger;
  /** Lines that did not read, apart from a last one that was cut off. */
  readonly damagedLines: number;
  readonly #options: JournalOptions;
  #handle: number;
  #bytes: number;

  /** Reads what is there, and leaves a file behind that holds exactly that. */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.higher);
    const text = readFileIfPresent(options.file) ?? '';
    this.damagedLines = this.#replay(text);
    const isTorn = text !== '' && !text.endsWith('\n');
    if (this.damagedLines > 0) {
      renameSync(options.file, `${options.file}.damaged`);
      options.log.error({ lines: this.damagedLines }, 'the journal of updates is damaged: set aside');
    }
    this.#bytes = Buffer.byteLength(text);
    this.#handle = -1;
    if (isTorn || this.damagedLines > 0 || this.#bytes > COMPACT_BYTES) this.#compact();
    else this.#handle = this.#open();
  }

  /** Returns when it is on the disk and the ledger holds it. @throws InternalError `impossible-record`, before it is written. */
  append(record: LedgerRecord): void {
    const { checkpoint = () => {} } = this.#options;
    this.ledger.apply(record);
    checkpoint(`before ${record.type}`);
    const line = Buffer.from(lineOf(record));
    for (let at = 0; at < line.length;) at += writeSync(this.#handle, line, at);
    this.#bytes += line.length;
    checkpoint(`after ${record.type}`);
    if (this.#bytes > COMPACT_BYTES) this.#compact();
  }

  close(): void {
    if (this.#handle !== -1) closeSync(this.#handle);
    this.#handle = -1;
  }

  #replay(text: string): number {
    const lines = text.split('\n');
    lines.pop(); // empty, or cut off
    let damaged = 0;
    for (const line of lines) {
      const record = recordOf(line);
      try {
        if (record === undefined) damaged += 1;
        else this.ledger.apply(record);
      } catch (error) {
        // What follows a record that was lost: the update goes on from the last one that fits.
        if (!(error instanceof InternalError)) throw error;
        damaged += 1;
      }
    }
    return damaged;
  }

  #compact(): void {
    this.close();
    const record = { type: 'ledger', ledger: this.ledger.image(), at: this.#options.nowMs() } as const;
    const line = lineOf(record);
    writeFileDurably(this.#options.file, line);
    this.#bytes = Buffer.byteLength(line);
    this.#handle = this.#open();
  }

  #open(): number {
    const { file } = this.#options;
    const handle = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_SYNC, 0o600);
    syncFolder(dirname(file));
    return handle;
  }
}

function lineOf(record: LedgerRecord): string {
  const json = JSON.stringify(record);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function recordOf(line: string): LedgerRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== crc32(json).toString(16).padStart(8, '0')) return undefined;
  return JSON.parse(json) as LedgerRecord;
}
