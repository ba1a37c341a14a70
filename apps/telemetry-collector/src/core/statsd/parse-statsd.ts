import { seriesName } from '../series-name.ts';

/** One line of StatsD: `NAME:VALUE|TYPE|@RATE|#TAG:VALUE,…`. */
export interface StatsdMetric {
  /** With its tags, as a series is called here. */
  series: string;
  kind: 'counter' | 'gauge' | 'timer' | 'set';
  /** Of a set: the text itself. */
  value: number | string;
  /** A gauge that is moved, not set: its value has a sign. */
  isRelative: boolean;
  /** Share of all that was sent, above 0 and at most 1. */
  rate: number;
}

const KINDS: Record<string, StatsdMetric['kind']> = {
  c: 'counter',
  g: 'gauge',
  ms: 'timer',
  h: 'timer',
  d: 'timer',
  s: 'set',
};
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Undefined if it is none. @param name as {@link seriesName} */
export function parseStatsd(line: string, name = seriesName): StatsdMetric | undefined {
  const [head = '', type = '', ...rest] = line.trim().split('|');
  const colon = head.indexOf(':');
  const kind = KINDS[type];
  if (colon < 1 || kind === undefined || !Object.hasOwn(KINDS, type)) return undefined;
  const text = head.slice(colon + 1);
  const value = kind === 'set' ? text : NUMBER.test(text) ? Number(text) : Number.NaN;
  if (value === '' || (typeof value === 'number' && !Number.isFinite(value))) return undefined;
  const rate = Number(rest.find((each) => each.startsWith('@'))?.slice(1) ?? 1);
  if (!(rate > 0 && rate <= 1)) return undefined;
  const tags = rest.find((each) => each.startsWith('#'))?.slice(1) ?? '';
  const parts = tags === '' ? [] : tags.split(',').toSorted();
  return {
    series: name(head.slice(0, colon), parts),
    kind,
    value,
    isRelative: kind === 'gauge' && /^[+-]/.test(text),
    rate,
  };
}
