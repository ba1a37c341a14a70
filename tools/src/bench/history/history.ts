import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from '@bowline/messages';
import { folderIn, type BenchContext } from '../context.ts';
import { row, type Row } from '../row.ts';
import { median } from '../statistics.ts';
import { LmdbCandidate } from './lmdb-candidate.ts';
import { benchManySeries } from './many-series.ts';
import { BATCH_SECONDS, Recording, START } from './recording.ts';
import { SqliteCandidate } from './sqlite-candidate.ts';

interface Candidate {
  record(samples: Sample[]): void | Promise<void>;
  seal(): void | Promise<void>;
  query(series: string, from: number, to: number): unknown[];
  close(): void | Promise<void>;
}

const SERIES = 50;
const SAMPLES = 1_000_000;
/** Blocks are made of so many batches: a quarter of an hour. */
const BATCHES_PER_BLOCK = 30;
const DAY_SECONDS = 86_400;
/** Series beside the one that is read, so that its blocks do not lie in a row. */
const DAY_SERIES = 6;
const ROUNDS = 9;

/** The store of the collector's history, and what it would be in LMDB. docs/benchmarks.md explains each row. */
export async function benchHistory(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  const candidates: [string, (folder: string) => Candidate][] = [
    ['SQLite', (folder) => new SqliteCandidate(folder)],
    ['LMDB', (folder) => new LmdbCandidate(join(folder, 'store.mdb'))],
  ];
  for (const [name, open] of candidates) {
    context.say(`${name}: ${SAMPLES} samples of ${SERIES} series`);
    const folder = folderIn(context, `million-${name}`);
    const candidate = open(folder);
    const before = { cpu: process.cpuUsage(), written: writtenBytes() };
    const generating = await fill(candidate, new Recording(context.random, SERIES), SAMPLES / SERIES);
    const cpu = process.cpuUsage(before.cpu);
    const written = writtenBytes() - before.written;
    await candidate.close();
    const goal = name === 'SQLite' ? { goal: { atMost: 10 } } : {};
    rows.push(
      row(`${name}: on disk`, sizeOf(folder) / SAMPLES, 'bytes/sample', goal),
      row(`${name}: written to the disk meanwhile`, written / SAMPLES, 'bytes/sample'),
      row(`${name}: CPU time`, (cpu.user + cpu.system - generating) / SAMPLES, 'µs/sample'),
      ...(await dayOf(name, open, context)),
    );
  }
  return [...rows, ...benchManySeries(context)];
}

async function dayOf(
  name: string,
  open: (folder: string) => Candidate,
  context: BenchContext,
): Promise<Row[]> {
  context.say(`${name}: a day of one series`);
  const candidate = open(folderIn(context, `day-${name}`));
  await fill(candidate, new Recording(context.random, DAY_SERIES), DAY_SECONDS);
  const goal = name === 'SQLite' ? { goal: { atMost: 100 } } : {};
  const rows = [0, 1].map((index) => {
    const times = Array.from({ length: ROUNDS + 1 }, () => {
      const before = process.cpuUsage();
      const points = candidate.query(`bench.series.${index}`, START, START + 1000 * DAY_SECONDS);
      const bytes = Buffer.byteLength(JSON.stringify(points));
      const { user, system } = process.cpuUsage(before);
      if (points.length !== DAY_SECONDS || bytes === 0) throw new Error(`${points.length} samples were read`);
      return (user + system) / 1000;
    });
    const what = index === 0 ? 'few decimals' : 'all digits';
    return row(
      `${name}: a day of one series read and encoded, ${what}`,
      median(times.slice(1)),
      'ms of CPU',
      goal,
    );
  });
  await candidate.close();
  return rows;
}

/** @returns CPU time of making the samples, µs. */
async function fill(candidate: Candidate, recording: Recording, seconds: number): Promise<number> {
  let generating = 0;
  for (let batch = 1; batch <= Math.ceil(seconds / BATCH_SECONDS); batch += 1) {
    const before = process.cpuUsage();
    const samples = recording.next().filter(({ at }) => at < START + 1000 * seconds);
    const { user, system } = process.cpuUsage(before);
    generating += user + system;
    await candidate.record(samples);
    if (batch % BATCHES_PER_BLOCK === 0) await candidate.seal();
  }
  return generating;
}

const sizeOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0);

const writtenBytes = (): number =>
  Number(/write_bytes: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
