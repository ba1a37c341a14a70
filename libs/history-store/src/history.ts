import { statfsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';
import { TransientError } from '@bowline/runtime/errors';
import { toSamples } from './block.ts';
import { Blocks, type BlockHead } from './blocks.ts';
import { estimatePoints, type Estimate } from './estimate.ts';
import { HistoryFiles } from './history-files.ts';
import { openNewest, replace, type HistoryIncident } from './open-file.ts';
import { ALL_ROWS, Pending, type Rows } from './pending.ts';
import { query, type HistoryAnswer, type HistoryQuery, type QueryParts } from './query.ts';
import {
  drop,
  FULL_SHARE,
  noteGap,
  pruneByAge,
  pruneBySize,
  pruneSeries,
  type Retention,
} from './retention.ts';
import { rebuild } from './rebuild.ts';
import { inTransaction, limitFile, sizeOf } from './schema.ts';
import { seal } from './seal.ts';
import { SeriesTable } from './series-table.ts';
import { isDamage, isReadingFault, isRefusal } from './sqlite-errors.ts';
import { addTotals, readTotals, type Totals } from './totals.ts';
import { noteUnsure, putRight, unsureBehind } from './unsure-times.ts';

/** With less it is the disk that is full, not the file: to give up what is there would help nobody. */
const DISK_FULL_BYTES = 2 ** 20;
/** Of its limit: how far the file is emptied for a write that it had no room for. Blocks need some beside what they are made of. */
const ROOM_SHARES = [FULL_SHARE, 0.7, 0.5, 0.3];

/** Series of which blocks are made in one step: some tens of milliseconds. */
const SERIES_AT_ONCE = 256;

export interface HistoryOptions {
  folder: string;
  retention: Retention;
  /** With less than this free on the disk nothing is recorded, bytes: the gateway's queue has the first right to it. */
  reserveBytes: number;
  /** Samples of further series are left out. */
  mostSeries: number;
  /** The file was damaged and has been replaced by what could be read of it. */
  onIncident?(incident: HistoryIncident): void;
  /** A block was damaged and has been removed. */
  onDamagedBlock?(head: { series: string; samples: number; fromAt: number; toAt: number }): void;
}

/** Samples that nobody else has yet, oldest first; `id` for {@link History.markSent}. */
export interface UnsentBlock {
  id: number;
  samples: Sample[];
}

/** Unsent samples that were given up: to be told to the server under this id, then {@link History.gapTold}. */
export interface HistoryGap {
  messageId: string;
  /** Empty if nobody can say. */
  series: string;
  count: number;
  fromAt: number;
  toAt: number;
}

export interface HistoryStats {
  usedBytes: number;
  fileBytes: number;
  series: number;
  pendingSamples: number;
  unsentSamples: number;
  totals: Totals;
}

interface Parts extends QueryParts {
  database: DatabaseSync;
  /** Found while reading; removed once reading is done. */
  damaged: BlockHead[];
}

/**
 * The past of every series, in one SQLite file. Every call is synchronous and does at most one commit; what it wrote is on
 * the disk when it returns (docs/adr/0018).
 *
 * Any call may find the file damaged: then what can be read of it takes its place, and the call is done again.
 */
export class History {
  #options: HistoryOptions;
  readonly #files: HistoryFiles;
  #number: number;
  #parts: Parts;

  /** @throws ConfigError `history-newer`; TransientError `history-refused`: no room to make the file. */
  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#files = new HistoryFiles(options.folder);
    const opened = refusalsAreTransient(() => openNewest(this.#files, options.retention.maxBytes));
    this.#number = opened.number;
    if (opened.incident !== undefined) options.onIncident?.(opened.incident);
    this.#parts = this.#read(opened.database);
  }

  /** Other limits, from the next call on. */
  reconfigure(limits: Pick<HistoryOptions, 'retention' | 'reserveBytes' | 'mostSeries'>): void {
    this.#options = { ...this.#options, ...limits };
    limitFile(this.#parts.database, limits.retention.maxBytes);
  }

  /**
   * Records samples in one commit. @param unsent nobody else has them: they are kept until {@link markSent}.
   *
   * @returns those that were left out, of series beyond `mostSeries`: {@link prune} makes room for further ones.
   * @throws TransientError `history-refused`: the disk is full, or does not take them. Then none is recorded.
   */
  record(samples: readonly Sample[], { unsent }: { unsent: boolean }): readonly Sample[] {
    const { taken, leftOut } = this.#parts.series.admit(samples, this.#options.mostSeries);
    if (taken.length === 0) return leftOut;
    this.#mustHaveRoom();
    this.#withRoom(() =>
      this.#change(({ database, pending }) => {
        noteUnsure(database, taken);
        pending.add(taken, unsent ? 1 : 0);
        addTotals(database, {
          recorded: taken.length,
          ...(unsent ? { unsentRecorded: taken.length } : {}),
        });
      }),
    );
    return leftOut;
  }

  /** Again, if the file has reached its limit before anybody looked, with more and more room. */
  #withRoom<T>(write: () => T): T {
    for (const share of ROOM_SHARES) {
      try {
        return write();
      } catch (error) {
        if (!(error instanceof TransientError) || this.#freeBytes() < DISK_FULL_BYTES) throw error;
        toTheEnd(this.#makingRoom(share));
      }
    }
    return write();
  }

  /** When the samples of a boot really were is known now. @param correct leaves others as they are */
  putRight(bootId: string, correct: (sample: Sample) => Sample): void {
    this.#change((parts) => putRight(parts, bootId, correct));
  }

  /** Makes blocks of what came in since the last time, and minutes and hours of it. */
  seal(): void {
    toTheEnd(this.sealing());
  }

  /**
   * As {@link seal}, of some series at a time. Each step is a commit, and between two of them everything is there, once, in blocks
   * or pending: anything else may be done meanwhile, and whoever ends early goes on the next time.
   */
  *sealing(): Generator<void> {
    const groups = this.#rowsToSeal();
    if (groups.length > 1) yield;
    for (const rows of groups) {
      this.#withRoom(() => this.#change((parts) => noteDamage(parts.database, seal(parts, rows))));
      yield;
    }
  }

  #rowsToSeal(): Rows[] {
    if (this.#parts.series.size <= SERIES_AT_ONCE) return [ALL_ROWS];
    return this.#withRoom(() =>
      this.#change(({ database, pending }) => {
        const { groups, damaged } = pending.regroup(SERIES_AT_ONCE);
        noteDamage(database, damaged);
        return groups;
      }),
    );
  }

  /** Blocks, then room: {@link seal} and {@link prune} in steps, between which others get their turn. */
  *tidying(nowMs?: number): Generator<void> {
    yield* this.sealing();
    yield* this.#dropping(nowMs);
    // What came in meanwhile.
    this.seal();
    this.#forgetSeries();
  }

  /**
   * Makes room: of what is too old, too much, and of too many series.
   *
   * @param nowMs epoch milliseconds; absent while the clock cannot be trusted: then nothing is too old.
   */
  prune(nowMs?: number): void {
    toTheEnd(this.#dropping(nowMs));
    this.#forgetSeries();
  }

  *#dropping(nowMs?: number): Generator<void> {
    const isOld = (at: number) => this.#change((parts) => pruneByAge(parts, this.#options.retention, at));
    if (nowMs !== undefined) while (isOld(nowMs)) yield;
    yield* this.#makingRoom(FULL_SHARE);
  }

  #forgetSeries(): void {
    this.#change((parts) => pruneSeries(parts, this.#options.mostSeries));
    this.#run(({ database }) => {
      const { usedBytes, fileBytes } = sizeOf(database);
      // What was freed is used again; only much of it is given back to the disk.
      if (fileBytes > 2 * usedBytes) database.exec('PRAGMA incremental_vacuum');
    });
  }

  *#makingRoom(share: number): Generator<void> {
    while (this.#change((parts) => pruneBySize(parts, this.#options.retention, share))) yield;
  }

  query(asked: HistoryQuery): HistoryAnswer {
    for (;;) {
      const answer = this.#run((parts) => query(parts, asked));
      try {
        // Instead of a block that is damaged, minutes or hours of it may be there.
        if (!this.#removeDamaged()) return answer;
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        return answer;
      }
    }
  }

  /** How large an answer would be. */
  estimatePoints(asked: HistoryQuery): Estimate {
    return this.#run((parts) => estimatePoints(parts, asked));
  }

  /** Names, sorted. */
  seriesNames(): string[] {
    return this.#parts.series.names;
  }

  /** The oldest block that nobody else has; what is still pending is made into blocks first. */
  nextUnsent(): UnsentBlock | undefined {
    for (;;) {
      const found = this.#run((parts) => {
        const head = parts.blocks.oldestUnsent();
        if (head === undefined) return undefined;
        const columns = parts.blocks.samplesOf(head);
        if (columns === undefined) parts.onDamage(head);
        return { id: head.id, samples: columns && toSamples(parts.series.name(head.series), columns) };
      });
      this.#removeDamaged();
      if (found?.samples !== undefined) return { id: found.id, samples: found.samples };
      if (found === undefined) {
        if (this.#run(({ pending }) => pending.counts().unsent) === 0) return undefined;
        this.seal();
      }
    }
  }

  /** The block's samples are somebody else's now. */
  markSent({ id, samples }: UnsentBlock): void {
    this.#change(({ database, blocks }) => {
      blocks.markSent(id);
      addTotals(database, { unsentSent: samples.length });
    });
  }

  /** What is to be told of samples that were given up. @param newId a UUIDv7, for each gap that has none yet */
  gaps(newId: () => string): HistoryGap[] {
    return this.#change(({ database }) => {
      const unnamed = database.prepare('SELECT id FROM gaps WHERE message_id IS NULL').all();
      const name = database.prepare('UPDATE gaps SET message_id = ? WHERE id = ?');
      for (const { id } of unnamed) name.run(newId(), id as number);
      return database
        .prepare(
          'SELECT message_id AS messageId, series, count, from_at AS fromAt, to_at AS toAt FROM gaps ORDER BY id',
        )
        .all() as unknown as HistoryGap[];
    });
  }

  gapTold({ messageId }: HistoryGap): void {
    this.#change(({ database }) => database.prepare('DELETE FROM gaps WHERE message_id = ?').run(messageId));
  }

  stats(): HistoryStats {
    return this.#run(({ database, blocks, pending, series }) => {
      const counts = pending.counts();
      return {
        ...sizeOf(database),
        series: series.names.length,
        pendingSamples: counts.samples,
        unsentSamples: counts.unsent + blocks.unsentSamples(),
        totals: readTotals(database),
      };
    });
  }

  close(): void {
    if (this.#parts.database.isOpen) this.#parts.database.close();
  }

  #mustHaveRoom(): void {
    const { folder, reserveBytes } = this.#options;
    if (this.#freeBytes() >= reserveBytes) return;
    if (this.#files.removeQuarantine(this.#number) && this.#freeBytes() >= reserveBytes) return;
    throw new TransientError(
      'history-refused',
      `less than ${reserveBytes} bytes are free on the disk of ${folder}`,
    );
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#options.folder);
    return bavail * bsize;
  }

  /** @returns whether there were any. @throws TransientError `history-refused`: they are met again. */
  #removeDamaged(): boolean {
    const found = this.#parts;
    const damaged = [...new Map(found.damaged.splice(0).map((head) => [head.id, head])).values()];
    if (damaged.length === 0) return false;
    this.#change((parts) => {
      // In a file that took the place of the one they were found in the numbers mean others.
      if (parts !== found) return;
      for (const head of damaged) drop(parts, head);
      for (const head of damaged) rebuild(parts.blocks, head);
      addTotals(parts.database, { damagedBlocks: damaged.length });
    });
    for (const { series, samples, firstAt, lastAt } of damaged) {
      const name = this.#parts.series.name(series);
      this.#options.onDamagedBlock?.({ series: name, samples, fromAt: firstAt, toAt: lastAt });
    }
    return true;
  }

  #change<T>(work: (parts: Parts) => T): T {
    return this.#run((parts) => {
      try {
        return inTransaction(parts.database, () => work(parts));
      } catch (error) {
        // It may have learned of series that were rolled back.
        if (parts.database.isOpen && !isDamage(error)) this.#parts = partsOf(parts.database);
        throw error;
      }
    });
  }

  #run<T>(work: (parts: Parts) => T): T {
    return refusalsAreTransient(() => {
      try {
        return work(this.#parts);
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#parts = this.#replace(this.#parts.database);
        return work(this.#parts);
      }
    });
  }

  /** A file that was opened without complaint may turn out damaged when its series are read. */
  #read(database: DatabaseSync): Parts {
    try {
      return partsOf(database);
    } catch (error) {
      if (!isReadingFault(error)) throw error;
      return this.#replace(database);
    }
  }

  #replace(damaged: DatabaseSync): Parts {
    damaged.close();
    const { maxBytes } = this.#options.retention;
    const { database, number, incident } = replace(this.#files, this.#number, maxBytes);
    this.#number = number;
    if (incident !== undefined) this.#options.onIncident?.(incident);
    return partsOf(database);
  }
}

function toTheEnd(steps: Generator<void>): void {
  while (steps.next().done !== true);
}

/** @param damaged samples that could not be read, of what others have and of what only we have */
function noteDamage(database: DatabaseSync, [damaged, damagedUnsent]: [number, number]): void {
  if (damaged + damagedUnsent > 0) addTotals(database, { damagedBlocks: 1 });
  // Which series they were of nobody can say.
  if (damagedUnsent > 0) noteGap(database, { series: '', count: damagedUnsent, fromAt: 0, toAt: 0 });
}

function partsOf(database: DatabaseSync): Parts {
  const series = new SeriesTable(database);
  const damaged: BlockHead[] = [];
  return {
    database,
    series,
    blocks: new Blocks(database),
    pending: new Pending(database, series),
    damaged,
    unsureBehind: () => unsureBehind(database),
    onDamage: (head) => void damaged.push(head),
  };
}

function refusalsAreTransient<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { message } = error as Error;
    throw new TransientError('history-refused', `the history could not be written: ${message}`, {
      cause: error,
    });
  }
}
