import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';
import { ColumnReader, ColumnWriter } from './byte-columns.ts';
import { pack, readColumns, samplesIn, toColumns, toSamples, unpack, writeColumns } from './block.ts';
import type { SeriesTable } from './series-table.ts';

/** Samples by series, each in the order of time. */
export type BySeries = Map<string, Sample[]>;

/** Rows by their numbers, both included; some may be gone. */
export interface Rows {
  from: number;
  to: number;
}

export const ALL_ROWS: Rows = { from: 0, to: Number.MAX_SAFE_INTEGER };

/** Of a row that is written anew, unpacked: about as much as a large commit. */
const ROW_BYTES = 4 * 2 ** 20;

/** Of the index, unpacked: beyond it rows are read each time they are asked for. */
const INDEX_BYTES = 16 * 2 ** 20;

/** Where in the rows up to `lastId` the samples of each series stand: for many questions in a row they are unpacked once. */
interface Index {
  lastId: number;
  bytes: number;
  pieces: Map<number, Uint8Array[]>;
}

/** What came in since blocks were last made: one row a commit, all series in it, so that a commit is few pages. */
export class Pending {
  readonly #database: DatabaseSync;
  readonly #series: SeriesTable;
  /** From the first question on, until blocks are made. */
  #index: Index | undefined;

  constructor(database: DatabaseSync, series: SeriesTable) {
    this.#database = database;
    this.#series = series;
  }

  /** Within the caller's transaction. */
  add(samples: readonly Sample[], unsent: 0 | 1): void {
    const writer = new ColumnWriter(8 * samples.length);
    for (const [name, list] of bySeries(samples)) {
      writer.count(this.#series.idFor(name, list.at(-1)?.unit));
      writer.piece(writeColumns(toColumns(list)));
    }
    this.#insert(unsent, samples.length, writer);
  }

  #insert(unsent: 0 | 1, samples: number, writer: ColumnWriter): number {
    const { data, crc } = pack(writer.done());
    const inserted = this.#database
      .prepare('INSERT INTO pending (unsent, samples, crc, data) VALUES (?, ?, ?, ?)')
      .run(unsent, samples, crc, data);
    return Number(inserted.lastInsertRowid);
  }

  /** `damaged`: samples in rows that cannot be read. */
  read(unsent: 0 | 1, rows = ALL_ROWS): { samples: BySeries; damaged: number } {
    const samples: BySeries = new Map();
    const damaged = this.#eachRow({ rows, unsent }, ({ pieces }) => {
      for (const [id, piece] of pieces) {
        const name = this.#series.name(id);
        const list = samples.get(name) ?? [];
        if (list.length === 0) samples.set(name, list);
        // One by one: a row may hold more than a call takes arguments.
        for (const sample of toSamples(name, readColumns(piece))) list.push(sample);
      }
    });
    for (const list of samples.values()) sortByTime(list);
    return { samples, damaged };
  }

  /**
   * Writes all of it anew, so that all samples of a series stand in rows that are of few others. What cannot be read goes.
   *
   * @returns rows that belong together; `damaged` as with {@link read}, of what others have and of what only we have.
   */
  regroup(seriesAtOnce: number): { groups: Rows[]; damaged: [number, number] } {
    const found = [new Map<number, Uint8Array[]>(), new Map<number, Uint8Array[]>()] as const;
    const damaged = ([0, 1] as const).map((unsent) =>
      this.#eachRow({ rows: ALL_ROWS, unsent }, ({ pieces }) => {
        for (const [id, piece] of pieces) push(found[unsent], id, piece);
      }),
    ) as [number, number];
    this.clear();
    const ids = [...new Set(found.flatMap((pieces) => [...pieces.keys()]))];
    const groups: Rows[] = [];
    for (let at = 0; at < ids.length; at += seriesAtOnce) {
      const group = ids.slice(at, at + seriesAtOnce);
      const written = ([0, 1] as const).flatMap((unsent) =>
        this.#write(
          unsent,
          group.flatMap((id) => (found[unsent].get(id) ?? []).map((piece) => [id, piece] as const)),
        ),
      );
      groups.push({ from: written[0] ?? 0, to: written.at(-1) ?? 0 });
    }
    return { groups, damaged };
  }

  /** @returns the numbers of the rows that it takes. */
  #write(unsent: 0 | 1, pieces: readonly (readonly [number, Uint8Array])[]): number[] {
    const rows: number[] = [];
    let [writer, bytes, samples] = [new ColumnWriter(), 0, 0];
    pieces.forEach(([id, piece], index) => {
      writer.count(id);
      writer.piece(piece);
      bytes += piece.length;
      samples += samplesIn(piece);
      if (bytes < ROW_BYTES && index < pieces.length - 1) return;
      rows.push(this.#insert(unsent, samples, writer));
      [writer, bytes, samples] = [new ColumnWriter(), 0, 0];
    });
    return rows;
  }

  /** Samples of one series, in the order of time. */
  of(id: number): Sample[] {
    const index = this.#indexed();
    const found = [...(index.pieces.get(id) ?? [])];
    this.#eachRow({ rows: behind(index.lastId) }, ({ pieces }) => {
      for (const [of, piece] of pieces) if (of === id) found.push(piece);
    });
    const name = this.#series.name(id);
    const samples = found.flatMap((piece) => toSamples(name, readColumns(piece)));
    sortByTime(samples);
    return samples;
  }

  /** With as many rows in it as there is room for. */
  #indexed(): Index {
    const index = (this.#index ??= { lastId: 0, bytes: 0, pieces: new Map() });
    this.#eachRow({ rows: behind(index.lastId) }, ({ id, bytes, pieces }) => {
      if (index.bytes + bytes > INDEX_BYTES) return 'enough';
      for (const [series, piece] of pieces) push(index.pieces, series, piece);
      index.bytes += bytes;
      index.lastId = id;
      return undefined;
    });
    return index;
  }

  /** @returns samples in rows that cannot be read. */
  #eachRow(
    { rows: { from, to }, unsent }: { rows: Rows; unsent?: 0 | 1 },
    take: (row: { id: number; bytes: number; pieces: [number, Uint8Array][] }) => 'enough' | void,
  ): number {
    let damaged = 0;
    const rows = this.#database
      .prepare('SELECT id, unsent, samples, crc, data FROM pending WHERE id BETWEEN ? AND ? ORDER BY id')
      .iterate(from, to);
    for (const row of rows) {
      if (unsent !== undefined && row['unsent'] !== unsent) continue;
      try {
        const bytes = unpack({ data: row['data'] as Uint8Array, crc: Number(row['crc']) });
        if (bytes === undefined) throw new RangeError('the checksum does not fit');
        const taken = take({ id: Number(row['id']), bytes: bytes.length, pieces: piecesOf(bytes) });
        if (taken === 'enough') break;
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
        damaged += Number(row['samples']);
      }
    }
    return damaged;
  }

  clear({ from, to } = ALL_ROWS): void {
    this.#database.prepare('DELETE FROM pending WHERE id BETWEEN ? AND ?').run(from, to);
    this.#index = undefined;
  }

  counts(): { samples: number; unsent: number } {
    const row = this.#database
      .prepare('SELECT sum(samples) AS samples, sum(samples * unsent) AS unsent FROM pending')
      .get();
    return { samples: Number(row?.['samples'] ?? 0), unsent: Number(row?.['unsent'] ?? 0) };
  }
}

const behind = (id: number): Rows => ({ ...ALL_ROWS, from: id + 1 });

function push(lists: Map<number, Uint8Array[]>, id: number, piece: Uint8Array): void {
  const known = lists.get(id);
  if (known === undefined) lists.set(id, [piece]);
  else known.push(piece);
}

function piecesOf(bytes: Uint8Array): [number, Uint8Array][] {
  const reader = new ColumnReader(bytes);
  const pieces: [number, Uint8Array][] = [];
  while (!reader.atEnd) pieces.push([reader.count(), reader.piece()]);
  return pieces;
}

export function bySeries(samples: readonly Sample[]): BySeries {
  const lists: BySeries = new Map();
  for (const sample of samples) {
    const list = lists.get(sample.series);
    if (list === undefined) lists.set(sample.series, [sample]);
    else list.push(sample);
  }
  for (const list of lists.values()) sortByTime(list);
  return lists;
}

function sortByTime(samples: Sample[]): void {
  const sorted = samples.every((sample, index) => index === 0 || (samples[index - 1]?.at ?? 0) <= sample.at);
  if (!sorted) samples.sort((a, b) => a.at - b.at);
}
