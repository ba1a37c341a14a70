import { expect, test } from 'vitest';
import { alignLines, endsBefore, findGaps, summarise, toRates } from './chart-data.ts';
import type { Point } from './series-buffer.ts';
import { thin } from './thin.ts';

const at = (...moments: number[]): Point[] => moments.map((moment) => ({ at: moment * 1000, value: moment }));
const line = (points: Point[]) => ({ points: thin(points, 0, Infinity), gaps: findGaps(points) });
const every = (step: number, from: number, to: number): Point[] =>
  at(...Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step));

test('when samples are missing between regular ones, that is one gap from the last before to the first after', () => {
  const points = [...every(10, 0, 100), ...every(10, 300, 400)];
  expect(findGaps(points)).toEqual([{ from: 100_000, to: 300_000 }]);
});

test('when history was thinned evenly, its longer steps are no gaps', () => {
  expect(findGaps([...every(60, 0, 1200), ...every(10, 1210, 1400)])).toEqual([]);
});

test('when sampling is sparse on one side of an outage, it is still a gap', () => {
  expect(findGaps([...every(10, 0, 100), ...every(20, 400, 600)])).toEqual([{ from: 100_000, to: 400_000 }]);
});

test('when two of three samples in a row are missing, the line still holds; a short jitter never breaks it', () => {
  expect(findGaps([...every(10, 0, 50), ...every(10, 80, 150)])).toEqual([]);
  expect(findGaps(at(0, 0.1, 0.2, 0.3, 4, 4.1, 4.2))).toEqual([]);
});

test('when there are too few samples to tell what is usual, nothing is called a gap', () => {
  expect(findGaps(at(0, 1000))).toEqual([]);
});

test('when a counter is drawn, it is its rate per second, and a reset is left out', () => {
  const rates = toRates([
    { at: 0, value: 1000 },
    { at: 10_000, value: 3000 },
    { at: 20_000, value: 100 },
    { at: 30_000, value: 150 },
  ]);
  expect(rates).toEqual([
    { at: 10_000, value: 200 },
    { at: 30_000, value: 5 },
  ]);
});

test('when lines were sampled at different moments, each has its values and no breaks where only the other has one', () => {
  const [times, first, second] = alignLines([line(at(10, 20, 30)), line(at(15, 25))], 0, 60_000);
  expect(times).toEqual([10, 15, 20, 25, 30]);
  expect(first).toEqual([10, undefined, 20, undefined, 30]);
  expect(second).toEqual([undefined, 15, undefined, 25, undefined]);
});

test('when a line has a gap, a null inside it breaks the line', () => {
  const [times, values] = alignLines([line([...every(10, 0, 50), ...every(10, 200, 250)])], 0, 300_000);
  const breaks = (values ?? []).flatMap((value, index) => (value === null ? [times[index]] : []));
  expect(breaks).toEqual([125]);
});

test('when samples lie outside of the range, only the nearest on each side is kept', () => {
  const [times] = alignLines([line(every(10, 0, 100))], 35_000, 65_000);
  expect(times).toEqual([30, 40, 50, 60, 70]);
});

test('when there is nothing in the range, there is nothing to summarise', () => {
  expect(summarise(at(1, 2), 5_000, 9_000)).toBeUndefined();
  expect(summarise(at(6, 7, 8), 5_000, 9_000)).toEqual({ least: 6, most: 8, gaps: 0 });
});

test('when points stand for many samples, the least and the most of those are told', () => {
  const joined = { at: 6000, value: 6, least: 1, most: 90, count: 60 };
  expect(summarise([...at(5), joined, ...at(7)], 0, 9_000)).toEqual({ least: 1, most: 90, gaps: 0 });
});

test('when the last point is further away than points are apart, samples are missing at the end', () => {
  expect(endsBefore([], 100_000, 0)).toBe(false);
  expect(endsBefore(every(10, 0, 100), 130_000, 5_000)).toBe(false);
  expect(endsBefore(every(10, 0, 100), 140_000, 5_000)).toBe(true);
  expect(endsBefore(every(10, 0, 100), 140_000, 75_000)).toBe(false);
  // A day each: the one that has not ended is no gap.
  expect(endsBefore(every(86_400, 0, 864_000), 900_000_000, 75_000)).toBe(false);
});

test('when buckets are drawn, the least and the most of each line follow the values', () => {
  const bucket = { at: 1000, value: 5, least: 1, most: 9 };
  const columns = alignLines(
    [
      { points: [bucket], gaps: [] },
      { points: [{ ...bucket, value: 6 }], gaps: [] },
    ],
    0,
    2000,
  );
  expect(columns).toEqual([[1], [5], [6], [1], [9], [1], [9]]);
});
