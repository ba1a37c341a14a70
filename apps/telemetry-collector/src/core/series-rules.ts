import { convert } from './units.ts';
import type { Reading } from './sample.ts';
import { seriesName } from './series-name.ts';

/** What holds for the series whose name it matches; of several that do, the last one that says something about it. */
export interface SeriesRule {
  /** A name, with `*` for any run of characters. */
  match: string;
  /** False: it is not sampled. */
  enabled?: boolean;
  /** A sample this often at most; its group is read at its own interval. */
  intervalMs?: number;
  /** A value no further than this from the last sample makes none. 0: one that has not changed. */
  deadBand?: number;
  /** But one this often at least, while the dead band holds samples back. */
  silenceMs?: number;
  /** In which its values are told, if there is a way from its own. */
  unit?: string;
}

type Told = Omit<SeriesRule, 'match'>;

interface Last {
  atMs: number;
  value: Reading['value'];
}

const SILENCE_MS = 600_000;
/** Sampling is not that exact: a sample that is due within this is due now. */
const EARLY_MS = 50;
/** A machine has far fewer; names that come and go are forgotten beyond it. */
const MOST_SERIES = 10_000;

/** Which readings become samples, and in which unit. */
export class SeriesRules {
  readonly #rules: readonly { matches: (series: string) => boolean; rule: SeriesRule }[];
  readonly #known = new Map<string, Told>();
  readonly #last = new Map<string, Last>();

  constructor(rules: readonly SeriesRule[]) {
    this.#rules = rules.map((rule) => ({ matches: matcherOf(rule.match), rule }));
  }

  /** @param nowMs monotonic */
  apply(readings: readonly Reading[], nowMs: number): Reading[] {
    return readings.flatMap((reading) => {
      const series = seriesName(reading.metric, reading.attributes);
      const rule = this.#ruleOf(series);
      if (rule.enabled === false) return [];
      const told = inUnit(reading, rule.unit);
      if (!isDue(told.value, this.#last.get(series), rule, nowMs)) return [];
      if (this.#last.size >= MOST_SERIES) this.#last.clear();
      this.#last.set(series, { atMs: nowMs, value: told.value });
      return [told];
    });
  }

  #ruleOf(series: string): Told {
    const known = this.#known.get(series);
    if (known !== undefined) return known;
    const matching = this.#rules.filter(({ matches }) => matches(series)).map(({ rule }) => rule);
    const told: Told = Object.assign({}, ...matching) as Told;
    if (this.#known.size >= MOST_SERIES) this.#known.clear();
    this.#known.set(series, told);
    return told;
  }
}

function isDue(value: Reading['value'], last: Last | undefined, rule: Told, nowMs: number): boolean {
  if (last === undefined) return true;
  const { intervalMs = 0, deadBand, silenceMs = SILENCE_MS } = rule;
  const passedMs = nowMs - last.atMs + EARLY_MS;
  if (passedMs < intervalMs) return false;
  if (deadBand === undefined || passedMs >= silenceMs) return true;
  return typeof value === 'number' && typeof last.value === 'number'
    ? Math.abs(value - last.value) > deadBand
    : value !== last.value;
}

function inUnit(reading: Reading, unit: string | undefined): Reading {
  if (unit === undefined || typeof reading.value !== 'number' || reading.unit === undefined) return reading;
  const value = convert(reading.value, reading.unit, unit);
  return value === undefined ? reading : { ...reading, value, unit };
}

/** Linear in the name: as a regular expression, a pattern of many stars would go through all ways to share it out. */
function matcherOf(match: string): (series: string) => boolean {
  const [first = '', ...rest] = match.split('*');
  const last = rest.pop();
  if (last === undefined) return (series) => series === first;
  return (series) => {
    if (!series.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = series.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return series.length - last.length >= at && series.endsWith(last);
  };
}
