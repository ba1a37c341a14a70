import { History } from '@bowline/history-store';
import { folderIn, type BenchContext } from '../context.ts';
import { row, type Row } from '../row.ts';
import { START } from './recording.ts';

const SERIES = 5000;
/** One sample of each series a minute; blocks are made each quarter of an hour, and the last minutes are in none yet. */
const MINUTES = 100;
const BLOCK_MINUTES = 15;
const DAY_MS = 86_400_000;

/** A request for all of very many series, as the collector answers it: one after the other, others get their turn in between. */
export function benchManySeries(context: BenchContext): Row[] {
  context.say(`SQLite: a request for ${SERIES} series`);
  const history = new History({
    folder: folderIn(context, 'many-series'),
    reserveBytes: 0,
    mostSeries: 2 * SERIES,
    retention: {
      rawMs: 7 * DAY_MS,
      minutesMs: 90 * DAY_MS,
      hoursMs: 1000 * DAY_MS,
      maxBytes: 1024 * 2 ** 20,
    },
  });
  const names = Array.from({ length: SERIES }, (_, index) => `bench.series.${index}`);
  let [sealing, step] = [0, 0];
  for (let minute = 1; minute <= MINUTES; minute += 1) {
    const at = START + 60_000 * minute;
    history.record(
      names.map((series, index) => ({
        series,
        at,
        value: Math.round(1000 * Math.sin(minute + index)) / 100,
      })),
      { unsent: false },
    );
    if (minute % BLOCK_MINUTES > 0) continue;
    const steps = history.sealing();
    let sum = 0;
    for (let isDone: boolean | undefined = false; isDone !== true;) {
      const { ms, result } = cpuMs(() => steps.next().done);
      sum += ms;
      step = Math.max(step, ms);
      isDone = result;
    }
    sealing = Math.max(sealing, sum);
  }
  let [all, longest, points] = [0, 0, 0];
  for (const series of names) {
    const asked = { series, from: START, to: START + DAY_MS };
    for (const ask of [
      () => history.estimatePoints(asked).samples,
      () => history.query(asked).points.length,
    ]) {
      const { ms, result } = cpuMs(ask);
      all += ms;
      longest = Math.max(longest, ms);
      points += result;
    }
  }
  history.close();
  if (points !== 2 * MINUTES * SERIES) throw new Error(`${points} points were estimated and read`);
  return [
    row(`SQLite: ${SERIES} series estimated and read, each`, all / SERIES, 'ms of CPU'),
    row('SQLite: the longest that one of them holds the event loop', longest, 'ms of CPU'),
    row(`SQLite: making blocks of ${SERIES} series`, sealing, 'ms of CPU'),
    row('SQLite: the longest that making them holds the event loop', step, 'ms of CPU'),
  ];
}

function cpuMs<T>(work: () => T): { ms: number; result: T } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, result };
}
