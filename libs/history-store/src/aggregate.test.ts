import { expect, test } from 'vitest';
import { Buckets } from './aggregate.ts';

test('when values are as large as they can be, of both signs, their average is a number between them', () => {
  const buckets = new Buckets(60_000);
  for (const value of [Number.MAX_VALUE, -Number.MAX_VALUE, 3]) buckets.addSample({ at: 1, value });
  const [joined] = buckets.sorted();
  expect(joined).toMatchObject({ count: 3, min: -Number.MAX_VALUE, max: Number.MAX_VALUE });
  expect(Number.isFinite(joined?.avg)).toBe(true);
});

test('when samples stand for more than can be counted, the count is the largest that can be told', () => {
  const buckets = new Buckets(60_000);
  for (const value of [1, 2, 3]) buckets.addSample({ at: 1, value, count: Number.MAX_SAFE_INTEGER });
  expect(buckets.sorted()[0]?.count).toBe(Number.MAX_SAFE_INTEGER);
});
