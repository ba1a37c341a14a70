import type { Point } from './series-buffer.ts';

/** A step this many times longer than its neighbours is a gap: samples are missing, and no line may hide it. */
const GAP_FACTOR = 3.5;
/** Shorter steps are jitter, never a gap, milliseconds. */
const SHORTEST_GAP_MS = 5_000;
/**
 * How many steps on each side say what is usual there. The slower side counts: history that was thinned evenly is no row of
 * gaps, nor is the place where it ends.
 */
const NEIGHBOURS = 4;

export interface Gap {
  /** Last sample before, first sample after, epoch milliseconds. */
  from: number;
  to: number;
}

/** Where samples are missing between the first and the last point. */
export function findGaps(points: readonly Point[]): Gap[] {
  const steps = points.slice(1).map((point, index) => point.at - (points[index]?.at ?? point.at));
  const gaps: Gap[] = [];
  steps.forEach((step, index) => {
    if (step < SHORTEST_GAP_MS) return;
    const before = steps.slice(Math.max(0, index - NEIGHBOURS), index);
    const after = steps.slice(index + 1, index + 1 + NEIGHBOURS);
    // Nearly every step is like its neighbours: that is seen without sorting them.
    if (step <= Math.min(...before, ...after) * GAP_FACTOR) return;
    const usual = Math.max(median(before), median(after));
    const from = points[index]?.at;
    const to = points[index + 1]?.at;
    // With too few neighbours to tell what is usual, nothing is called a gap.
    if (before.length + after.length < 2 || from === undefined || to === undefined) return;
    if (step > Math.max(SHORTEST_GAP_MS, usual * GAP_FACTOR)) gaps.push({ from, to });
  });
  return gaps;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;

/**
 * The rate of a counter, per second, at each point but the first. A counter that fell was reset (a reboot): that
 * step is left out instead of drawn as a huge negative or invented value.
 */
export function toRates(points: readonly Point[]): Point[] {
  const rates: Point[] = [];
  let before: Point | undefined;
  for (const point of points) {
    if (before !== undefined && point.value >= before.value && point.at > before.at) {
      rates.push({ at: point.at, value: (point.value - before.value) / ((point.at - before.at) / 1000) });
    }
    before = point;
  }
  return rates;
}

/** What uPlot draws: seconds, then one column a line. `null` breaks the line, `undefined` means "not sampled here". */
export type Columns = [number[], ...(number | null | undefined)[][]];

/**
 * Joins lines on one time axis, within [from, to], with their gaps as gaps. One point on each side beyond the range is kept,
 * so that a line runs to the edge.
 */
export function alignLines(lines: readonly (readonly Point[])[], from: number, to: number): Columns {
  const table = new Map<number, (number | null | undefined)[]>();
  const row = (at: number): (number | null | undefined)[] => {
    let cells = table.get(at);
    if (cells === undefined) table.set(at, (cells = Array.from({ length: lines.length })));
    return cells;
  };
  lines.forEach((points, column) => {
    const first = points.findIndex(({ at }) => at >= from);
    const last = points.findLastIndex(({ at }) => at <= to);
    const visible = points.slice(Math.max(0, (first < 0 ? points.length : first) - 1), last + 2);
    for (const { at, value } of visible) row(at)[column] = value;
    for (const gap of findGaps(visible)) row(Math.round((gap.from + gap.to) / 2))[column] ??= null;
  });
  const times = [...table.keys()].toSorted((a, b) => a - b);
  return [
    times.map((at) => at / 1000),
    ...lines.map((_, column) => times.map((at) => table.get(at)?.[column])),
  ];
}

export interface Summary {
  least: number;
  most: number;
  gaps: number;
}

/** What the line shows within [from, to], for people who do not see it. */
export function summarise(points: readonly Point[], from: number, to: number): Summary | undefined {
  const inside = points.filter(({ at }) => at >= from && at <= to);
  if (inside.length === 0) return undefined;
  let least = Infinity;
  let most = -Infinity;
  for (const { value } of inside) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return { least, most, gaps: findGaps(inside).length };
}
