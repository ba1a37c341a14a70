import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';
import { ColumnReader, ColumnWriter } from './byte-columns.ts';
import { pack, readColumns, toColumns, toSamples, unpack, writeColumns } from './block.ts';
import type { SeriesTable } from './series-table.ts';

/** Samples by series, each in the order of time. */
export type BySeries = Map<string, Sample[]>;

/** What came in since blocks were last made: one row a commit, all series in it, so that a commit is few pages. */
export class Pending {
  readonly #database: DatabaseSync;
  readonly #series: SeriesTable;

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
    const { data, crc } = pack(writer.done());
    this.#database
      .prepare('INSERT INTO pending (unsent, samples, crc, data) VALUES (?, ?, ?, ?)')
      .run(unsent, samples.length, crc, data);
  }

  /** All of it, or that of one series. `damaged`: samples in rows that cannot be read. */
  read(unsent: 0 | 1 | undefined, only?: number): { samples: BySeries; damaged: number } {
    const samples: BySeries = new Map();
    let damaged = 0;
    const rows = this.#database
      .prepare('SELECT unsent, samples, crc, data FROM pending ORDER BY id')
      .iterate();
    for (const row of rows) {
      if (unsent !== undefined && row['unsent'] !== unsent) continue;
      try {
        this.#readRow(row['data'] as Uint8Array, Number(row['crc']), only, samples);
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
        damaged += Number(row['samples']);
      }
    }
    for (const list of samples.values()) sortByTime(list);
    return { samples, damaged };
  }

  /** Samples of each series with from ≤ at < to. */
  countsIn({ from, to }: { from: number; to: number }): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [name, list] of this.read(undefined).samples) {
      counts.set(name, list.filter(({ at }) => at >= from && at < to).length);
    }
    return counts;
  }

  #readRow(data: Uint8Array, crc: number, only: number | undefined, into: BySeries): void {
    const bytes = unpack({ data, crc });
    if (bytes === undefined) throw new RangeError('the checksum does not fit');
    const reader = new ColumnReader(bytes);
    while (!reader.atEnd) {
      const id = reader.count();
      const piece = reader.piece();
      if (only !== undefined && id !== only) continue;
      const name = this.#series.name(id);
      const list = into.get(name) ?? [];
      if (list.length === 0) into.set(name, list);
      list.push(...toSamples(name, readColumns(piece)));
    }
  }

  clear(): void {
    this.#database.exec('DELETE FROM pending');
  }

  counts(): { samples: number; unsent: number } {
    const row = this.#database
      .prepare('SELECT sum(samples) AS samples, sum(samples * unsent) AS unsent FROM pending')
      .get();
    return { samples: Number(row?.['samples'] ?? 0), unsent: Number(row?.['unsent'] ?? 0) };
  }
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
