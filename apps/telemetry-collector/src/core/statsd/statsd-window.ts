import type { GivenSample } from '../../bodies.ts';
import { parseStatsd, type StatsdMetric } from './parse-statsd.ts';
import type { seriesName } from '../series-name.ts';

export interface WindowLimits {
  /** Most series; lines of further ones are not taken. Gauges of earlier windows make room. */
  series: number;
}

/** Of a timer, values kept for its 95th percentile, and of a set, different ones that are told apart. */
const MOST_VALUES = 1000;

interface Timer {
  kind: 'timer';
  values: number[];
  /** By the rate: how many there were. */
  count: number;
  /** How many came, and their sum. */
  taken: number;
  sum: number;
  min: number;
  max: number;
}

type Entry = { kind: 'counter'; sum: number } | Timer | { kind: 'set'; values: Set<string> };

/**
 * What came since the last flush. Counters, timers and sets are of that time alone; a gauge is told when it was set, and kept
 * so that it can be moved.
 */
export class StatsdWindow {
  #limits: WindowLimits;
  readonly #name: typeof seriesName | undefined;
  #entries = new Map<string, Entry>();
  readonly #gauges = new Map<string, number>();
  readonly #set = new Set<string>();
  #refused = 0;

  /** @param name how series are called */
  constructor(limits: WindowLimits, name?: typeof seriesName) {
    this.#limits = limits;
    this.#name = name;
  }

  reconfigure(limits: WindowLimits): void {
    this.#limits = limits;
  }

  /** Lines that could not be taken since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** One datagram: a metric a line. */
  take(text: string): void {
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      const metric = parseStatsd(line, this.#name);
      if (metric === undefined || !this.#add(metric)) this.#refused += 1;
    }
  }

  /** The samples of what came, which is over with that. */
  flush(): GivenSample[] {
    const gauges = [...this.#set].map((series): GivenSample => ({
      series,
      value: this.#gauges.get(series) ?? 0,
    }));
    const others = [...this.#entries].flatMap(([series, entry]) => samplesOf(series, entry));
    this.#set.clear();
    this.#entries = new Map();
    return [...gauges, ...others];
  }

  #add(metric: StatsdMetric): boolean {
    const { series, kind } = metric;
    if (kind === 'gauge') return this.#setGauge(metric);
    const known = this.#entries.get(series);
    if (known === undefined && !this.#hasRoom()) return false;
    const entry = known ?? NEW[kind]();
    if (!isTakenBy(entry, metric)) return false;
    this.#entries.set(series, entry);
    return true;
  }

  #setGauge({ series, value, isRelative }: StatsdMetric): boolean {
    const before = this.#gauges.get(series);
    const now = (isRelative ? (before ?? 0) : 0) + Number(value);
    if (!Number.isFinite(now) || (before === undefined && !this.#hasRoom())) return false;
    // The one that was set last stands last.
    this.#gauges.delete(series);
    this.#gauges.set(series, now);
    this.#set.add(series);
    return true;
  }

  /** A gauge that was not set in this window is kept only as long as nobody else needs its place. */
  #hasRoom(): boolean {
    if (this.#entries.size + this.#gauges.size < this.#limits.series) return true;
    const [oldest] = this.#gauges.keys();
    if (oldest === undefined || this.#set.has(oldest)) return false;
    return this.#gauges.delete(oldest);
  }
}

const NEW: Record<Entry['kind'], () => Entry> = {
  counter: () => ({ kind: 'counter', sum: 0 }),
  timer: () => ({
    kind: 'timer',
    values: [],
    count: 0,
    taken: 0,
    sum: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
  }),
  set: () => ({ kind: 'set', values: new Set() }),
};

/** False: the same name for another kind, a set that is full, or sums that no sample can hold. */
function isTakenBy(entry: Entry, { kind, value, rate }: StatsdMetric): boolean {
  if (entry.kind === 'counter') return kind === 'counter' && addToCounter(entry, Number(value), rate);
  if (entry.kind === 'timer') return kind === 'timer' && addToTimer(entry, Number(value), rate);
  if (kind !== 'set') return false;
  if (entry.values.size < MOST_VALUES) entry.values.add(String(value));
  return entry.values.has(String(value));
}

function addToCounter(counter: { sum: number }, value: number, rate: number): boolean {
  const sum = counter.sum + value / rate;
  if (!Number.isFinite(sum)) return false;
  counter.sum = sum;
  return true;
}

function addToTimer(timer: Timer, value: number, rate: number): boolean {
  const count = timer.count + 1 / rate;
  if (!Number.isFinite(timer.sum + value) || count > Number.MAX_SAFE_INTEGER) return false;
  timer.count = count;
  timer.taken += 1;
  timer.sum += value;
  timer.min = Math.min(timer.min, value);
  timer.max = Math.max(timer.max, value);
  if (timer.values.length < MOST_VALUES) timer.values.push(value);
  return true;
}

function samplesOf(series: string, entry: Entry): GivenSample[] {
  if (entry.kind === 'counter') return [{ series, value: entry.sum }];
  if (entry.kind === 'set') return [{ series, value: entry.values.size }];
  const { values, count, taken, sum, min, max } = entry;
  const sorted = values.toSorted((a, b) => a - b);
  const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? max;
  return [
    { series, value: sum / taken, count: Math.max(1, Math.round(count)), min, max, unit: 'ms' },
    { series: `${series.slice(0, 124)}:p95`, value: p95, unit: 'ms' },
  ];
}
