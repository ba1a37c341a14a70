import type { Sample } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { describe, expect, test } from 'vitest';
import { mergeSamples } from './merge-samples.ts';

const BOOT = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const sample = (at: number, value: Sample['value'], more: Partial<Sample> = {}): Sample => ({
  series: 'a',
  at,
  value,
  ...more,
});

describe('mergeSamples', () => {
  test('when both are averages, each counts as much as it stands for', () => {
    const left = sample(0, 1, { count: 3, min: -1, max: 5 });
    const merged = mergeSamples(left, sample(100, 9));
    expect(merged).toEqual(sample(25, 3, { count: 4, min: -1, max: 9 }));
    expect(() => checkOutgoing('telemetry', { samples: [merged] })).not.toThrow();
  });

  test('when the clock was not right, the monotonic times are averaged, too', () => {
    const of = (at: number) => sample(at, 1, { quality: 'unsynchronised', bootId: BOOT, monoMs: at });
    expect(mergeSamples(of(10), of(20))).toMatchObject({ at: 15, monoMs: 15, bootId: BOOT });
  });

  test('when values and counts are as large as they can be, the average is one that the contract takes', () => {
    const of = (value: number) =>
      sample(1, value, { count: Number.MAX_SAFE_INTEGER, min: value, max: value });
    const merged = mergeSamples(of(-Number.MAX_VALUE), of(Number.MAX_VALUE));
    expect(() => checkOutgoing('telemetry', { samples: [merged] })).not.toThrow();
    expect(JSON.stringify(merged)).not.toContain('null');
  });

  test.each<[string, Sample, Sample]>([
    ['one is a text', sample(1, 'on'), sample(2, 1)],
    ['both are truth values', sample(1, true), sample(2, false)],
    ['the units differ', sample(1, 1, { unit: 'By' }), sample(2, 1, { unit: 'KiBy' })],
    ['one is of another boot', sample(1, 1, { bootId: BOOT, quality: 'unsynchronised' }), sample(2, 1)],
  ])('when %s, there is no average', (_, a, b) => {
    expect(mergeSamples(a, b)).toBeUndefined();
  });
});
