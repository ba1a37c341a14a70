import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Sample } from '@bowline/messages';
import { ColumnReader, ColumnWriter } from './byte-columns.ts';
import { readValues, writeValues, type Value } from './value-column.ts';

/** Samples of one series, in the order of their times. */
export interface Columns {
  at: number[];
  values: Value[];
  /** What samples in a row have in common, as long as `count` says. */
  runs: Run[];
  /** Milliseconds since boot of those samples whose run has a boot id. */
  mono: number[];
  /** Count, least and greatest value of each sample that stands for several. */
  merged: Value[];
}

interface Run {
  count: number;
  unit?: string;
  quality?: NonNullable<Sample['quality']>;
  bootId?: string;
  merged?: true;
}

const VERSION = 1;
/** No block is larger when it is unpacked: what claims to be is damaged. */
const LARGEST_UNPACKED_BYTES = 64 * 2 ** 20;

/** @param samples in the order of their times, of one series */
export function toColumns(samples: readonly Sample[]): Columns {
  const columns: Columns = { at: [], values: [], runs: [], mono: [], merged: [] };
  for (const { at, value, unit, quality, bootId, monoMs, count, min, max } of samples) {
    columns.at.push(at);
    columns.values.push(value);
    const boot = bootId !== undefined && monoMs !== undefined ? bootId : undefined;
    const isMerged = count !== undefined && min !== undefined && max !== undefined;
    const run: Run = {
      count: 1,
      ...(unit === undefined ? {} : { unit }),
      ...(quality === undefined ? {} : { quality }),
      ...(boot === undefined ? {} : { bootId: boot }),
      ...(isMerged ? { merged: true } : {}),
    };
    const last = columns.runs.at(-1);
    if (last !== undefined && isSame(last, run)) last.count += 1;
    else columns.runs.push(run);
    if (isMerged) columns.merged.push(count, min, max);
    if (boot !== undefined) columns.mono.push(Math.round(monoMs ?? 0));
  }
  return columns;
}

const isSame = (a: Run, b: Run): boolean =>
  a.unit === b.unit && a.quality === b.quality && a.bootId === b.bootId && a.merged === b.merged;

/** There are texts, truth values or averages among them. */
export const isUneven = ({ values, merged }: Columns): boolean =>
  merged.length > 0 || values.some((value) => typeof value !== 'number');

export function toSamples(series: string, { at, values, runs, mono, merged }: Columns): Sample[] {
  const samples: Sample[] = [];
  let nextMono = 0;
  let nextMerged = 0;
  for (const { count, merged: isMerged, ...common } of runs) {
    for (let left = count; left > 0; left -= 1) {
      const index = samples.length;
      const sample: Sample = { series, at: at[index] ?? 0, value: values[index] ?? 0, ...common };
      if (common.bootId !== undefined) sample.monoMs = mono[nextMono++] ?? 0;
      if (isMerged === true) {
        const [number, min, max] = merged.slice(nextMerged, (nextMerged += 3)) as [number, number, number];
        Object.assign(sample, { count: number, min, max });
      }
      samples.push(sample);
    }
  }
  return samples;
}

/** The columns as bytes: times as differences of differences, values by {@link writeValues}; not packed yet. */
export function writeColumns({ at, values, runs, mono, merged }: Columns): Buffer {
  const writer = new ColumnWriter(64 + 4 * at.length);
  writer.byte(VERSION);
  writer.count(at.length);
  writeTimes(writer, at);
  writeValues(writer, values);
  writer.piece(Buffer.from(JSON.stringify(runs)));
  writer.count(mono.length);
  writeTimes(writer, mono);
  writer.count(merged.length);
  writeValues(writer, merged);
  return writer.done();
}

/** @throws RangeError, SyntaxError: it was not written by {@link writeColumns}. */
export function readColumns(bytes: Uint8Array): Columns {
  const reader = new ColumnReader(bytes);
  const version = reader.byte();
  if (version !== VERSION) throw new RangeError(`a block of version ${version} cannot be read`);
  const count = reader.count();
  const at = readTimes(reader, count);
  const values = readValues(reader, count);
  const runs = JSON.parse(Buffer.from(reader.piece()).toString()) as Run[];
  const mono = readTimes(reader, reader.count());
  return { at, values, runs, mono, merged: readValues(reader, reader.count()) };
}

/** How many samples stand in what {@link writeColumns} wrote. @throws RangeError */
export function samplesIn(bytes: Uint8Array): number {
  const reader = new ColumnReader(bytes);
  reader.byte();
  return reader.count();
}

function writeTimes(writer: ColumnWriter, times: readonly number[]): void {
  let before = 0;
  let step = 0;
  for (const time of times) {
    writer.signed(time - before - step);
    step = time - before;
    before = time;
  }
}

function readTimes(reader: ColumnReader, count: number): number[] {
  const times: number[] = [];
  let time = 0;
  let step = 0;
  for (let index = 0; index < count; index += 1) {
    step += reader.signed();
    time += step;
    times.push(time);
  }
  return times;
}

/** Bytes packed, with their checksum: SQLite has none of its own. */
export interface Packed {
  data: Uint8Array;
  crc: number;
}

export function pack(bytes: Uint8Array): Packed {
  const data = deflateRawSync(bytes);
  return { data, crc: crc32(data) };
}

/** What was packed, or undefined if it is damaged. */
export function unpack({ data, crc }: Packed): Buffer | undefined {
  if (crc32(data) !== crc) return undefined;
  return inflateRawSync(data, { maxOutputLength: LARGEST_UNPACKED_BYTES });
}
