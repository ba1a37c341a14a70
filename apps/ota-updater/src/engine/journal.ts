import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Logger } from '@bowline/runtime';
import { isDiskFull, readFileIfPresent, syncFolder, writeFileDurably } from '@bowline/runtime';
import { InternalError, TransientError } from '@bowline/runtime/errors';
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
 * `append` returns. A line that was cut off by a crash, or by a disk without room, is dropped. One that is damaged elsewhere is skipped, and the file
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
    if (this.damagedLines > 0) {
      renameSync(options.file, `${options.file}.damaged`);
      options.log.error({ lines: this.damagedLines }, 'the journal of updates is damaged: set aside');
    }
    this.#bytes = 0;
    this.#handle = -1;
    if (this.damagedLines > 0) {
      this.#compact();
      return;
    }
    if (text !== '' && !text.endsWith('\n'))
      truncateSync(options.file, Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1)));
    this.#open();
    this.#compactIfLong();
  }

  /**
   * Returns when it is on the disk and the ledger holds it.
   *
   * @throws InternalError `impossible-record`; TransientError `no-space`: neither file nor ledger has it.
   */
  append(record: LedgerRecord): void {
    const { checkpoint = () => {} } = this.#options;
    this.ledger.check(record);
    checkpoint(`before ${record.type}`);
    this.#write(Buffer.from(lineOf(record)));
    this.ledger.apply(record);
    checkpoint(`after ${record.type}`);
    this.#compactIfLong();
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

  #write(line: Buffer): void {
    try {
      for (let at = 0; at < line.length;) at += writeSync(this.#handle, line, at);
      this.#bytes += line.length;
    } catch (error) {
      // Half a line would spoil the next one.
      ftruncateSync(this.#handle, this.#bytes);
      if (!isDiskFull(error)) throw error;
      throw new TransientError('no-space', `${this.#options.file} cannot grow: the disk is full`, {
        cause: error,
      });
    }
  }

  #compactIfLong(): void {
    if (this.#bytes <= COMPACT_BYTES) return;
    try {
      this.#compact();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#options.log.warn(
        { bytes: this.#bytes },
        'no room to shorten the journal of updates: it goes on as it is',
      );
    }
  }

  #compact(): void {
    const record = { type: 'ledger', ledger: this.ledger.image(), at: this.#options.nowMs() } as const;
    writeFileDurably(this.#options.file, lineOf(record));
    this.close();
    this.#open();
  }

  #open(): void {
    const { file } = this.#options;
    const isNew = !existsSync(file);
    this.#handle = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_SYNC, 0o600);
    if (isNew) syncFolder(dirname(file));
    this.#bytes = fstatSync(this.#handle).size;
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
