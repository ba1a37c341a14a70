import type { Sample } from '@bowline/messages';
import { seededRandom } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { SampleBuffer, type Portion } from './sample-buffer.ts';

const ALL = { samples: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
const sample = (series: string, at: number): Sample => ({ series, at, value: at });
const momentsOf = ({ entries }: Portion, series = 'a') =>
  entries.filter((entry) => entry.sample.series === series).map((entry) => entry.sample.at);

const bufferOf = (samples: number, bytes = 10_000_000) => new SampleBuffer({ samples, bytes });

describe('SampleBuffer', () => {
  test('when a portion is taken, it is the oldest, within count and bytes, but never nothing', () => {
    const buffer = bufferOf(100);
    buffer.add(
      [1, 2, 3, 4].map((at) => sample('a', at)),
      0,
    );
    const each = buffer.bytes / 4;
    expect(momentsOf(buffer.take({ samples: 1, bytes: 9999 }))).toEqual([1]);
    expect(momentsOf(buffer.take({ samples: 9, bytes: 2 * each }))).toEqual([2, 3]);
    expect(momentsOf(buffer.take({ samples: 9, bytes: 1 }))).toEqual([4]);
    expect([buffer.isEmpty, buffer.bytes]).toEqual([true, 0]);
  });

  test('when a portion comes back, it is the oldest again', () => {
    const buffer = bufferOf(100);
    buffer.add([sample('a', 1), sample('a', 2)], 0);
    const portion = buffer.take({ samples: 1, bytes: 9999 });
    buffer.add([sample('a', 3)], 50);
    buffer.restore(portion);
    expect(buffer.oldestSinceMs).toBe(0);
    expect(momentsOf(buffer.take(ALL))).toEqual([1, 2, 3]);
  });

  test('when it is full, neighbours of a series in the older half become one, and it says so', () => {
    const buffer = bufferOf(8);
    buffer.add(
      [1, 2, 3, 4].flatMap((at) => [sample('a', at), sample('b', at)]),
      0,
    );
    buffer.add([sample('a', 5)], 0);
    const portion = buffer.take(ALL);
    const samples = portion.entries.map((entry) => entry.sample);
    const both = { at: 2, value: 1.5, count: 2, min: 1, max: 2 };
    expect(samples).toEqual([
      { series: 'a', ...both },
      { series: 'b', ...both },
      sample('a', 3),
      sample('b', 3),
      sample('a', 4),
      sample('b', 4),
      sample('a', 5),
    ]);
    expect(portion.thinned).toEqual([
      { series: 'a', count: 1, fromAt: 1, toAt: 2 },
      { series: 'b', count: 1, fromAt: 1, toAt: 2 },
    ]);
  });

  test('when values are texts, every second one goes', () => {
    const buffer = bufferOf(4);
    buffer.add(
      ['w', 'x', 'y', 'z', 'zz'].map((value, at): Sample => ({ series: 'a', at, value })),
      0,
    );
    expect(momentsOf(buffer.take(ALL))).toEqual([0, 2, 3, 4]);
  });

  test('when it has too many bytes, it thins as well', () => {
    const buffer = bufferOf(1000, 1000);
    for (let at = 0; at < 200; at += 1) buffer.add([sample('a', at)], at);
    expect(buffer.bytes).toBeLessThanOrEqual(1000);
    const portion = buffer.take(ALL);
    expect(portion.entries.length + (portion.thinned[0]?.count ?? 0)).toBe(200);
  });

  test('when it becomes smaller, it thins at once', () => {
    const buffer = bufferOf(100);
    for (let at = 0; at < 100; at += 1) buffer.add([sample('a', at)], at);
    buffer.reconfigure({ samples: 20, bytes: 100_000 });
    expect(buffer.samples).toBeLessThanOrEqual(20);
  });

  test('when every series is there once, the oldest goes', () => {
    const buffer = bufferOf(2);
    buffer.add([sample('a', 1), sample('b', 2), sample('c', 3)], 0);
    const portion = buffer.take(ALL);
    expect(portion.entries.map((entry) => entry.sample.series)).toEqual(['b', 'c']);
    expect(portion.thinned).toEqual([{ series: 'a', count: 1, fromAt: 1, toAt: 1 }]);
  });

  test('when a portion is discarded, its samples are counted as given up', () => {
    const buffer = bufferOf(8);
    buffer.add([sample('a', 1), sample('a', 5)], 0);
    buffer.discard(buffer.take(ALL));
    expect(buffer.take(ALL)).toEqual({
      entries: [],
      thinned: [{ series: 'a', count: 2, fromAt: 1, toAt: 5 }],
    });
  });

  test('when an outage lasts a week, memory stays bounded, old samples stay spread, and kept and given up add up', () => {
    const buffer = bufferOf(1000);
    const total = 7 * 24 * 360;
    for (let at = 0; at < total; at += 1) buffer.add([sample('a', at)], at);
    expect(buffer.samples).toBeLessThanOrEqual(1000);
    const portion = buffer.take(ALL);
    const moments = momentsOf(portion);
    expect(moments.length + (portion.thinned[0]?.count ?? 0)).toBe(total);
    const samples = portion.entries.map((entry) => entry.sample);
    // Nothing is lost of the picture: every reading is in the average, the bounds and the count of some sample.
    expect(samples.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(total);
    expect(samples[0]?.min).toBe(0);
    const sum = samples.reduce((all, { value, count = 1 }) => all + Number(value) * count, 0);
    expect(sum / ((total * (total - 1)) / 2)).toBeCloseTo(1, 9);
    expect(moments.at(-1)).toBe(total - 1);
    expect(moments).toEqual(moments.toSorted((x, y) => x - y));
  });

  test('when anything happens in any order, the ledger adds up', () => {
    const random = seededRandom();
    const buffer = bufferOf(20);
    let added = 0;
    let handedOver = 0;
    let counted = 0;
    for (let step = 0; step < 2000; step += 1) {
      if (random.next() < 0.6) {
        buffer.add([sample(`s${Math.floor(random.next() * 4)}`, step)], step);
        added += 1;
        continue;
      }
      const portion = buffer.take({ samples: 1 + Math.floor(random.next() * 10), bytes: 400 });
      const fate = random.next();
      if (fate < 0.3) buffer.restore(portion);
      else if (fate < 0.4) buffer.discard(portion);
      else {
        handedOver += portion.entries.length;
        counted += portion.thinned.reduce((sum, { count }) => sum + count, 0);
      }
      const held = buffer.take(ALL);
      const pending = held.thinned.reduce((sum, { count }) => sum + count, 0);
      expect(handedOver + counted + held.entries.length + pending).toBe(added);
      buffer.restore(held);
      expect(buffer.samples).toBeLessThanOrEqual(20);
      expect(buffer.bytes).toBe(held.entries.reduce((sum, { bytes }) => sum + bytes, 0));
    }
  });

  test('when samples of ever new series have to go, so many are counted by name and the rest as one', () => {
    const buffer = new SampleBuffer({ samples: 16, bytes: 1_000_000 });
    for (let at = 0; at < 5016; at += 1) buffer.add([{ series: `s${at}`, at, value: 1 }], 0);
    const { thinned } = buffer.take({ samples: 1, bytes: 1000 });
    expect(thinned).toHaveLength(1001);
    expect(thinned.filter(({ series }) => series === undefined)).toEqual([
      { count: 4000, fromAt: 1000, toAt: 4999 },
    ]);
  });
});
