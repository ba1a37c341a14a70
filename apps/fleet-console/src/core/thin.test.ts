import { expect, test } from 'vitest';
import { thin } from './thin.ts';

const samples = (count: number, value: (index: number) => number) =>
  Array.from({ length: count }, (_, index) => ({ at: index * 1000, value: value(index) }));

test('when there are few samples, they stay as they are', () => {
  expect(
    thin(
      samples(2, (index) => index),
      0,
      10_000,
    ),
  ).toEqual([
    { at: 0, value: 0, least: 0, most: 0 },
    { at: 1000, value: 1, least: 1, most: 1 },
  ]);
});

test('when there are many, each bucket has their mean and keeps the single peak among them', () => {
  const buckets = thin(
    samples(1000, (index) => (index === 500 ? 90 : 10)),
    0,
    1_000_000,
    100,
  );
  expect(buckets).toHaveLength(100);
  expect(buckets[50]).toMatchObject({ value: 18, least: 10, most: 90, at: 504_500 });
  expect(buckets[51]).toMatchObject({ value: 10, least: 10, most: 10 });
});

test('when points stand for many samples, their least and most are kept, and their means count by how many', () => {
  const joined = { at: 0, value: 10, least: 1, most: 90, count: 9 };
  expect(thin([joined], 0, 10_000)).toEqual([{ at: 0, value: 10, least: 1, most: 90 }]);
  const [bucket] = thin([joined, { at: 1000, value: 20 }], 0, 10_000, 1);
  expect(bucket).toEqual({ at: 100, value: 11, least: 1, most: 90 });
});

test('when the window moves on by a little, the buckets stay the same', () => {
  const all = samples(1000, (index) => index % 7);
  const before = thin(all, 0, 900_000, 90);
  const after = thin(all, 5_000, 905_000, 90);
  expect(after.slice(10, 80)).toEqual(before.slice(10, 80));
});
