import { expect, test } from 'vitest';
import { SeriesBuffer } from './series-buffer.ts';

const moments = (buffer: SeriesBuffer): number[] => buffer.points.map(({ at }) => at);

test('when samples come out of order, they are kept in the order of time', () => {
  const buffer = new SeriesBuffer();
  buffer.add([
    { at: 50, value: 5 },
    { at: 10, value: 1 },
    { at: 30, value: 3 },
    { at: 20, value: 2 },
  ]);
  expect(moments(buffer)).toEqual([10, 20, 30, 50]);
  expect(buffer.last).toEqual({ at: 50, value: 5 });
});

test('when a moment comes twice, the later word about it wins', () => {
  const buffer = new SeriesBuffer();
  buffer.add([
    { at: 10, value: 1 },
    { at: 20, value: 2 },
  ]);
  buffer.add([
    { at: 10, value: 7 },
    { at: 20, value: 8 },
  ]);
  expect(buffer.points).toEqual([
    { at: 10, value: 7 },
    { at: 20, value: 8 },
  ]);
});

test('when more come than it holds, the oldest go', () => {
  const buffer = new SeriesBuffer(3);
  buffer.add([1, 2, 3, 4, 5].map((at) => ({ at, value: at })));
  buffer.add([{ at: 0, value: 0 }]);
  expect(moments(buffer)).toEqual([3, 4, 5]);
});

test('when a value is no number that can be drawn, it is left out', () => {
  const buffer = new SeriesBuffer();
  buffer.add([
    { at: 1, value: Number.NaN },
    { at: 2, value: Infinity },
  ]);
  expect(buffer.points).toEqual([]);
});

test('when it is trimmed, what lies before is forgotten and the moment itself is kept', () => {
  const buffer = new SeriesBuffer();
  buffer.add([1, 2, 3].map((at) => ({ at, value: at })));
  buffer.trim(2);
  expect(moments(buffer)).toEqual([2, 3]);
});
