import { describe, expect, test } from 'vitest';
import { parseStatsd } from './parse-statsd.ts';
import { StatsdWindow } from './statsd-window.ts';

function flushed(...datagrams: string[]) {
  const window = new StatsdWindow({ series: 10 });
  for (const datagram of datagrams) window.take(datagram);
  return { samples: window.flush(), refused: window.refused, window };
}

describe('parseStatsd', () => {
  test('when a line has rate and tags, both are read, and tags tell series apart in any order', () => {
    expect(parseStatsd('page.views:1|c|@0.1|#b:2,a:1')).toEqual({
      series: 'page.views:a:1:b:2',
      kind: 'counter',
      value: 1,
      isRelative: false,
      rate: 0.1,
    });
  });

  test.each(['', 'a', 'a:1', ':1|c', 'a:|c', 'a:x|c', 'a:1|x', 'a:1|constructor', 'a:1|c|@0', 'a:1|c|@2'])(
    'when a line is %j, it is none',
    (line) => {
      expect(parseStatsd(line)).toBeUndefined();
    },
  );
});

describe('StatsdWindow', () => {
  test('when a counter is sampled, it counts as often as it happened, and starts anew with each window', () => {
    const { samples, window } = flushed('a:1|c\na:2|c|@0.5\n');
    expect(samples).toEqual([{ series: 'a', value: 5 }]);
    expect(window.flush()).toEqual([]);
  });

  test('when a gauge is set and moved, its last value is told, and only if it was', () => {
    const { samples, window } = flushed('g:10|g', 'g:-3|g', 'g:+1|g');
    expect(samples).toEqual([{ series: 'g', value: 8 }]);
    expect(window.flush()).toEqual([]);
    window.take('g:+2|g');
    expect(window.flush()).toEqual([{ series: 'g', value: 10 }]);
  });

  test('when there are times, they become an average with bounds, and a percentile', () => {
    const { samples } = flushed(...Array.from({ length: 100 }, (_, index) => `t:${index + 1}|ms`));
    expect(samples).toEqual([
      { series: 't', value: 50.5, count: 100, min: 1, max: 100, unit: 'ms' },
      { series: 't:p95', value: 95, unit: 'ms' },
    ]);
  });

  test('when a set gets values, the different ones count', () => {
    expect(flushed('u:anna|s', 'u:bert|s', 'u:anna|s').samples).toEqual([{ series: 'u', value: 2 }]);
  });

  test('when sums would be no numbers any more, those lines are not taken and the others are', () => {
    const lines = [
      'c:1e308|c',
      'c:1e308|c',
      'n:1|c|@1e-320',
      't:1|ms|@1e-300',
      'g:1e308|g',
      'g:+1e308|g',
      'ok:1|c',
    ];
    const { samples, refused } = flushed(...lines);
    expect(refused).toBe(4);
    expect(samples).toEqual([
      { series: 'g', value: 1e308 },
      { series: 'c', value: 1e308 },
      { series: 'ok', value: 1 },
    ]);
  });

  test('when gauges come under ever new names, those that are not set any more make room', () => {
    const window = new StatsdWindow({ series: 3 });
    for (let round = 0; round < 10; round += 1) {
      window.take(`a${round}:1|g\nb${round}:1|g\nc${round}:1|c`);
      expect(window.flush()).toHaveLength(3);
    }
    expect(window.refused).toBe(0);
  });

  test('when there are too many series or nonsense, it is counted and the rest is taken', () => {
    const many = Array.from({ length: 12 }, (_, index) => `c${index}:1|c`);
    const { samples, refused } = flushed(...many, 'nonsense', 'c0:1|ms');
    expect([samples.length, refused]).toEqual([10, 4]);
  });
});
