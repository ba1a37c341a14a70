/** Which series are drawn together, and how. */
import type { SeriesSummary } from '@bowline/messages';
import { isRatio } from './format.ts';

export interface Chart {
  id: string;
  title: string;
  /** Names of the series, one line each, at most {@link MAX_LINES}. */
  lines: ChartLine[];
  /** Unit of what is drawn; of a counter, its rate. */
  unit: string | undefined;
  /** The axis runs from 0 to 1: a share of a whole. */
  ratio: boolean;
}

export interface ChartLine {
  series: string;
  label: string;
  /** A counter that only rises: its rate is drawn. */
  counter: boolean;
}

/** More lines than this in one chart are a tangle. */
export const MAX_LINES = 4;

interface Family {
  id: string;
  title: string;
  /** The first of these that the device has is drawn. */
  bases: readonly string[];
}

/** In this order; a family without series on the device is left out. */
const FAMILIES: readonly Family[] = [
  { id: 'cpu', title: 'CPU', bases: ['system.cpu.utilization'] },
  { id: 'memory', title: 'Memory', bases: ['system.memory.utilization', 'system.memory.usage'] },
  { id: 'load', title: 'Load', bases: ['system.cpu.load_average', 'system.load_average'] },
  { id: 'network', title: 'Network', bases: ['system.network.io'] },
  { id: 'temperature', title: 'Temperature', bases: ['hw.temperature', 'system.temperature'] },
  { id: 'disk', title: 'Disk', bases: ['system.filesystem.utilization', 'system.filesystem.usage'] },
];

/** Counters among the semantic conventions: what they count since boot, not what flows now. */
const COUNTERS =
  /^system\.(network|disk|paging)\.(io|io_time|packets|packet\.dropped|errors|dropped|operations)\b/;

/** What a machine says to itself is not its network. */
const LOOPBACK = /^system\.network\..*[:/]lo([:/]|$)/;

const isNumeric = ({ last }: SeriesSummary): boolean => last === undefined || typeof last.value === 'number';

/** Below a base: the base itself, or the base with an attribute after `.`, `:` or `/`. */
const belongsTo = (base: string) => (series: SeriesSummary) =>
  series.series === base ||
  (series.series.startsWith(base) && /[.:/]/.test(series.series[base.length] ?? ''));

/** The charts that a person wants to see of a device without choosing. */
export function defaultCharts(series: readonly SeriesSummary[]): Chart[] {
  const numeric = series
    .filter(isNumeric)
    .toSorted((a, b) => a.series.localeCompare(b.series, 'en', { numeric: true }));
  return FAMILIES.flatMap(({ id, title, bases }) => {
    const base = bases.find((candidate) => numeric.some(belongsTo(candidate)));
    if (base === undefined) return [];
    const all = numeric.filter(belongsTo(base)).filter(({ series }) => !LOOPBACK.test(series));
    // A total says more than its parts.
    const total = all.find(({ series }) => series === base);
    return [chartOf(id, title, total === undefined ? all.slice(0, MAX_LINES) : [total], base)];
  });
}

/** A chart of one series, as chosen from the list. */
export const singleChart = (series: SeriesSummary): Chart =>
  chartOf(`series:${series.series}`, series.series, [series], series.series);

function chartOf(id: string, title: string, series: readonly SeriesSummary[], base: string): Chart {
  const counter = COUNTERS.test(base);
  const unit = series.find(({ unit }) => unit !== undefined)?.unit;
  return {
    id,
    title,
    unit: counter ? `${unit ?? '1'}/s` : unit,
    ratio: !counter && isRatio(unit, base),
    lines: series.map(({ series: name }) => ({
      series: name,
      label: name === base ? title : name.slice(base.length + 1),
      counter,
    })),
  };
}
