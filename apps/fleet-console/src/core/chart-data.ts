import type { Point } from './series-buffer.ts';
import type { Bucket } from './thin.ts';

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

/** From the last point on it is longer than samples take here to come, and than any jitter. */
export function endsBefore(points: readonly Point[], to: number, jitterMs: number): boolean {
  const last = points.at(-1);
  if (last === undefined) return false;
  const steps = points.slice(-NEIGHBOURS).map(({ at }, index, few) => at - (few[index - 1]?.at ?? at));
  return to - last.at > Math.max(jitterMs, GAP_FACTOR * median(steps.slice(1)));
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

/** What uPlot draws: seconds, then columns. `null` breaks the line, `undefined` means "not sampled here". */
export type Columns = [number[], ...(number | null | undefined)[][]];

/** A line as it is drawn, and where it must break. */
export interface Line {
  points: readonly Bucket[];
  gaps: readonly Gap[];
}

/**
 * Joins lines on one time axis, within [from, to], with their gaps as gaps: first the values, a column a line, then the least and
 * the most of each line. One point on each side beyond the range is kept, so that a line runs to the edge.
 */
export function alignLines(lines: readonly Line[], from: number, to: number): Columns {
  const table = new Map<number, (Bucket | null | undefined)[]>();
  const row = (at: number): (Bucket | null | undefined)[] => {
    let cells = table.get(at);
    if (cells === undefined) table.set(at, (cells = Array.from({ length: lines.length })));
    return cells;
  };
  lines.forEach(({ points, gaps }, column) => {
    const first = points.findIndex(({ at }) => at >= from);
    const last = points.findLastIndex(({ at }) => at <= to);
    const visible = points.slice(Math.max(0, (first < 0 ? points.length : first) - 1), last + 2);
    for (const point of visible) row(point.at)[column] = point;
    for (const gap of gaps) {
      if (gap.to > from && gap.from < to) row(Math.round((gap.from + gap.to) / 2))[column] ??= null;
    }
  });
  const times = [...table.keys()].toSorted((a, b) => a - b);
  const columnOf = (line: number, part: 'value' | 'least' | 'most') =>
    times.map((at) => {
      const cell = table.get(at)?.[line];
      return cell === null ? null : cell?.[part];
    });
  return [
    times.map((at) => at / 1000),
    ...lines.map((_, line) => columnOf(line, 'value')),
    ...lines.flatMap((_, line) => [columnOf(line, 'least'), columnOf(line, 'most')]),
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
  for (const point of inside) {
    least = Math.min(least, point.least ?? point.value);
    most = Math.max(most, point.most ?? point.value);
  }
  return { least, most, gaps: findGaps(inside).length };
}
