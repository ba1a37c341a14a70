import { describe, expect, test } from 'vitest';
import { row, unmeasured } from './row.ts';
import { median, medianRatio, percentile } from './statistics.ts';

describe('statistics', () => {
  test('when the number of values is odd, the median is the middle one', () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  test('when the number of values is even, the median is the mean of the middle two', () => {
    expect(median([4, 100, 1, 2])).toBe(3);
  });

  test('when a percentile is asked for, as large a share of the values is not above it', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([
      100, 198, 200,
    ]);
    expect([percentile([7], 0.01), percentile([7], 0.99)]).toEqual([7, 7]);
  });

  test('when rounds are compared, each is divided by its own reference', () => {
    expect(medianRatio([10, 40, 90], [10, 20, 30])).toBe(2);
    expect(() => medianRatio([1], [1, 2])).toThrow('as many');
  });

  test('when nothing was measured, there is no median', () => {
    expect(() => median([])).toThrow('no values');
  });
});

describe('row', () => {
  test('when a value is on the bound or on its good side, the goal holds', () => {
    expect(row('rate', 150, 'msg/s', { goal: { atLeast: 150 } })).toMatchObject({
      goal: '≥ 150',
      holds: true,
    });
    expect(row('time', 1.4, 'ms', { goal: { atMost: 1.5 } })).toMatchObject({ goal: '≤ 1.5', holds: true });
  });

  test('when a value is on the wrong side, the goal does not hold, however small the difference', () => {
    expect(row('rate', 149_999.9, 'msg/s', { goal: { atLeast: 150_000 } })).toMatchObject({
      value: 150_000,
      holds: false,
    });
    expect(row('time', 1.501, 'ms', { goal: { atMost: 1.5 } }).holds).toBe(false);
  });

  test('when there is no goal or no value, nothing is said to hold', () => {
    expect(row('rate', 1, 'msg/s').holds).toBeNull();
    expect(unmeasured('rate', 'msg/s', 'no broker')).toMatchObject({
      value: null,
      holds: null,
      note: 'no broker',
    });
  });
});
