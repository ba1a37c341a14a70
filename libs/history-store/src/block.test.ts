import type { Sample } from '@bowline/messages';
import { seededRandom } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { pack, readColumns, toColumns, toSamples, unpack, writeColumns } from './block.ts';

const BOOT = '00000000-0000-4000-8000-000000000001';
const AT = 1_790_000_000_000;
const through = (samples: Sample[]) => toSamples('s', readColumns(writeColumns(toColumns(samples))));
const ofValues = (values: Sample['value'][]): Sample[] =>
  values.map((value, index) => ({ series: 's', at: AT + 1000 * index, value }));

describe('a block', () => {
  test('when values have few decimals, they come back exactly and take a few bytes', () => {
    const samples = ofValues(Array.from({ length: 900 }, (_, index) => (2150 + (index % 7)) / 100));
    expect(through(samples)).toEqual(samples);
    expect(pack(writeColumns(toColumns(samples))).data.length).toBeLessThan(900);
  });

  test('when values are any numbers at all, they come back exactly', () => {
    const random = seededRandom();
    const odd = [0, -0, 1e-300, -1e300, 2 ** 53 - 1, -(2 ** 53), 0.1 + 0.2, 1 / 3, 5e-324, 1e22];
    const values = [
      ...odd,
      ...Array.from({ length: 500 }, () => (random.next() - 0.5) * 10 ** random.integer(-12, 15)),
    ];
    const back = through(ofValues(values)).map(({ value }) => value);
    expect(back.every((value, index) => Object.is(value, values[index]))).toBe(true);
  });

  test('when there are texts and truth values among them, they come back', () => {
    const samples = ofValues([1, 'open', true, 'Ö', false, 2.5, '']);
    expect(through(samples)).toEqual(samples);
  });

  test('when units, quality and boots change on the way, each sample keeps its own', () => {
    const samples: Sample[] = [
      { series: 's', at: AT, value: 1, unit: 'Cel', quality: 'unsynchronised', bootId: BOOT, monoMs: 5000 },
      {
        series: 's',
        at: AT + 1,
        value: 2,
        unit: 'Cel',
        quality: 'unsynchronised',
        bootId: BOOT,
        monoMs: 6001,
      },
      { series: 's', at: AT + 2, value: 3, unit: 'Cel', quality: 'good' },
      { series: 's', at: AT + 2, value: 4 },
      { series: 's', at: AT + 9, value: 5, quality: 'unsynchronised', bootId: BOOT, monoMs: 7000 },
    ];
    expect(through(samples)).toEqual(samples);
  });

  test('when a sample stands for several, how many and their bounds come back', () => {
    const samples: Sample[] = [
      { series: 's', at: AT, value: 1.5, count: 2, min: 1, max: 2 },
      { series: 's', at: AT + 1, value: 2 },
      { series: 's', at: AT + 2, value: 0.25, count: 60, min: -1 / 3, max: 4 },
    ];
    expect(through(samples)).toEqual(samples);
  });

  test('when one bit of it is not what was written, it is said to be damaged', () => {
    const packed = pack(writeColumns(toColumns(ofValues([1, 2, 3]))));
    for (let bit = 0; bit < 8 * packed.data.length; bit += 1) {
      const data = Uint8Array.from(packed.data);
      data[bit >> 3] = (data[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(unpack({ data, crc: packed.crc })).toBeUndefined();
    }
  });
});
