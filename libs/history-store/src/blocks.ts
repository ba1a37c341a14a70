import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { readAggregates, writeAggregates, type Aggregate } from './aggregate.ts';
import { unlistedTo } from './schema.ts';
import { damageFound } from './sqlite-errors.ts';
import { isUneven, pack, readColumns, unpack, writeColumns, type Columns } from './block.ts';

/** Raw samples, minutes, hours. */
export type Tier = 0 | 1 | 2;

/** Of one block, without what it holds. */
export interface BlockHead {
  id: number;
  series: number;
  tier: Tier;
  firstAt: number;
  lastAt: number;
  samples: number;
  /** 0: handed over. 1: ours alone. 2: ours alone, and thinned already. */
  unsent: 0 | 1 | 2;
}

interface Row extends BlockHead {
  crc: number;
  data: Uint8Array;
}

export interface Range {
  series: number;
  tier: Tier;
  from: number;
  to: number;
}

const COLUMNS = 'id, series, tier, first_at AS firstAt, last_at AS lastAt, samples, unsent';

/** The rows of table `blocks`: whoever reads one gets what was written, or is told that it is damaged. */
export class Blocks {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #load: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO blocks (series, tier, first_at, last_at, samples, unsent, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#load = database.prepare(`SELECT ${COLUMNS}, crc, data FROM blocks WHERE id = ?`);
  }

  /** @param columns not empty, in the order of time */
  addSamples(series: number, columns: Columns, unsent: BlockHead['unsent']): void {
    const [firstAt, lastAt] = [columns.at[0] ?? 0, columns.at.at(-1) ?? 0];
    const head = { series, tier: 0, firstAt, lastAt, samples: columns.at.length, unsent } as const;
    const id = this.#add(head, writeColumns(columns));
    if (isUneven(columns)) this.#database.prepare('INSERT INTO uneven (id) VALUES (?)').run(id);
  }

  addAggregates(series: number, tier: 1 | 2, aggregates: readonly Aggregate[]): void {
    const [firstAt, lastAt] = [aggregates[0]?.at ?? 0, aggregates.at(-1)?.at ?? 0];
    const head = { series, tier, firstAt, lastAt, samples: aggregates.length, unsent: 0 } as const;
    this.#add(head, writeAggregates(aggregates));
  }

  #add(head: Omit<BlockHead, 'id'>, bytes: Buffer): number {
    const { data, crc } = pack(bytes);
    const { series, tier, firstAt, lastAt, samples, unsent } = head;
    const sum = mixed(crc, headSum(head));
    const inserted = this.#insert.run(series, tier, firstAt, lastAt, samples, unsent, sum, data);
    return Number(inserted.lastInsertRowid);
  }

  samplesOf({ id }: BlockHead): Columns | undefined {
    return this.#read(id, readColumns);
  }

  aggregatesOf({ id }: BlockHead): Aggregate[] | undefined {
    return this.#read(id, readAggregates);
  }

  /** Undefined: the row is damaged. */
  #read<T>(id: number, decode: (bytes: Uint8Array) => T): T | undefined {
    const row = this.#load.get(id) as Row | undefined;
    if (row === undefined) return undefined;
    try {
      const bytes = unpack({ data: row.data, crc: mixed(row.crc, headSum(row)) });
      return bytes === undefined ? undefined : decode(bytes);
    } catch {
      return undefined;
    }
  }

  /** Those that hold anything of the range, oldest first. */
  *inRange({ series, tier, from, to }: Range): Generator<BlockHead> {
    const rows = this.#database
      .prepare(
        `SELECT ${COLUMNS} FROM blocks WHERE tier = ? AND series = ? AND first_at < ? AND last_at >= ? ORDER BY first_at, id`,
      )
      .iterate(tier, series, to, from);
    for (const row of rows) yield row as unknown as BlockHead;
  }

  /**
   * Whether samples of the range, or of blocks that reach into it, are not all plain numbers. Where the list may not be whole, the
   * first and the last of those blocks tell.
   */
  holdsUneven({ series, from, to }: Omit<Range, 'tier'>): boolean {
    const found = this.#database
      .prepare(
        'SELECT 1 FROM blocks WHERE tier = 0 AND series = ? AND first_at < ? AND last_at >= ? AND id IN uneven LIMIT 1',
      )
      .get(series, to, from);
    if (found !== undefined) return true;
    const last = unlistedTo(this.#database);
    if (last === 0) return false;
    const looked: BlockHead[] = [];
    for (const head of this.inRange({ series, tier: 0, from, to }))
      if (head.id <= last) looked.splice(1, 1, head);
    return looked.some((head) => {
      const columns = this.samplesOf(head);
      return columns !== undefined && isUneven(columns);
    });
  }

  /** Blocks of samples that were made after the one with this number. */
  samplesBehind(id: number): BlockHead[] {
    return this.#one('tier = 0 AND id > ?', id);
  }

  oldestAt(tier: Tier, series: number): number | undefined {
    const row = this.#database
      .prepare('SELECT min(first_at) AS at FROM blocks WHERE tier = ? AND series = ?')
      .get(tier, series);
    return typeof row?.['at'] === 'number' ? row['at'] : undefined;
  }

  /** The block of a tier that new aggregates may go into. */
  newest(tier: Tier, series: number): BlockHead | undefined {
    return this.#one('tier = ? AND series = ? ORDER BY first_at DESC LIMIT 1', tier, series)[0];
  }

  oldestUnsent(): BlockHead | undefined {
    return this.#one('unsent > 0 ORDER BY first_at LIMIT 1')[0];
  }

  /** Of a tier, the oldest ones with that mark. */
  oldest(tier: Tier, unsent: BlockHead['unsent'], limit: number): BlockHead[] {
    return this.#one('tier = ? AND unsent = ? ORDER BY last_at LIMIT ?', tier, unsent, limit);
  }

  /** @param unsure behind this block the times of what only we have may be false (unsure-times.ts): it is not old for that */
  endedBefore(tier: Tier, at: number, { limit, unsure }: { limit: number; unsure: number }): BlockHead[] {
    const where = 'tier = ? AND last_at < ? AND NOT (unsent > 0 AND id > ?) ORDER BY last_at LIMIT ?';
    return this.#one(where, tier, at, unsure, limit);
  }

  #one(where: string, ...values: number[]): BlockHead[] {
    return this.#database
      .prepare(`SELECT ${COLUMNS} FROM blocks WHERE ${where}`)
      .all(...values) as unknown as BlockHead[];
  }

  remove(id: number): void {
    const { changes } = this.#database.prepare('DELETE FROM blocks WHERE id = ?').run(id);
    if (Number(changes) !== 1) throw damageFound(`block ${id} is in an index and not in its table`);
    this.#database.prepare('DELETE FROM uneven WHERE id = ?').run(id);
  }

  /** It has been handed over. */
  markSent(id: number): void {
    const row = this.#load.get(id) as Row | undefined;
    if (row === undefined) return;
    const crc = mixed(row.crc, mixed(headSum(row), headSum({ ...row, unsent: 0 })));
    this.#database.prepare('UPDATE blocks SET unsent = 0, crc = ? WHERE id = ?').run(crc, id);
  }

  unsentSamples(): number {
    const row = this.#database.prepare('SELECT sum(samples) AS n FROM blocks WHERE unsent > 0').get();
    return Number(row?.['n'] ?? 0);
  }
}

/** A block is damaged, too, if it stands in another's place. */
const headSum = ({ series, tier, firstAt, lastAt, samples, unsent }: Omit<BlockHead, 'id'>): number =>
  crc32(`${series} ${tier} ${firstAt} ${lastAt} ${samples} ${unsent}`);

const mixed = (a: number, b: number): number => (a ^ b) >>> 0;
