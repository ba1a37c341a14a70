import type { Sample } from '@bowline/messages';
import { seededRandom } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { SampleBuffer, type Portion } from './sample-buffer.ts';

const ALL = { samples: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
const sample = (series: string, at: number): Sample => ({ series, at, value: at });
const momentsOf = ({ entries }: Portion, series = 'a') =>
  entries.filter((entry) => entry.sample.series === series).map((entry) => entry.sample.at);

describe('SampleBuffer', () => {
  test('when a portion is taken, it is the oldest, within count and bytes, but never nothing', () => {
    const buffer = new SampleBuffer(100);
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
    const buffer = new SampleBuffer(100);
    buffer.add([sample('a', 1), sample('a', 2)], 0);
    const portion = buffer.take({ samples: 1, bytes: 9999 });
    buffer.add([sample('a', 3)], 50);
    buffer.restore(portion);
    expect(buffer.oldestSinceMs).toBe(0);
    expect(momentsOf(buffer.take(ALL))).toEqual([1, 2, 3]);
  });

  test('when it is full, the older half loses every second sample of each series and says so', () => {
    const buffer = new SampleBuffer(8);
    buffer.add(
      [1, 2, 3, 4].flatMap((at) => [sample('a', at), sample('b', at)]),
      0,
    );
    buffer.add([sample('a', 5)], 0);
    const portion = buffer.take(ALL);
    expect([momentsOf(portion, 'a'), momentsOf(portion, 'b')]).toEqual([
      [1, 3, 4, 5],
      [1, 3, 4],
    ]);
    expect(portion.thinned).toEqual(
      [
        { series: 'b', count: 1, fromAt: 2, toAt: 2 },
        { series: 'a', count: 1, fromAt: 2, toAt: 2 },
      ].toSorted((x, y) => x.series.localeCompare(y.series)),
    );
  });

  test('when every series is there once, the oldest goes', () => {
    const buffer = new SampleBuffer(2);
    buffer.add([sample('a', 1), sample('b', 2), sample('c', 3)], 0);
    const portion = buffer.take(ALL);
    expect(portion.entries.map((entry) => entry.sample.series)).toEqual(['b', 'c']);
    expect(portion.thinned).toEqual([{ series: 'a', count: 1, fromAt: 1, toAt: 1 }]);
  });

  test('when a portion is discarded, its samples are counted as given up', () => {
    const buffer = new SampleBuffer(8);
    buffer.add([sample('a', 1), sample('a', 5)], 0);
    buffer.discard(buffer.take(ALL));
    expect(buffer.take(ALL)).toEqual({
      entries: [],
      thinned: [{ series: 'a', count: 2, fromAt: 1, toAt: 5 }],
    });
  });

  test('when an outage lasts a week, memory stays bounded, old samples stay spread, and kept and given up add up', () => {
    const buffer = new SampleBuffer(1000);
    const total = 7 * 24 * 360;
    for (let at = 0; at < total; at += 1) buffer.add([sample('a', at)], at);
    expect(buffer.samples).toBeLessThanOrEqual(1000);
    const portion = buffer.take(ALL);
    const moments = momentsOf(portion);
    expect(moments.length + (portion.thinned[0]?.count ?? 0)).toBe(total);
    expect(moments.at(0)).toBe(0);
    expect(moments.at(-1)).toBe(total - 1);
    expect(moments).toEqual(moments.toSorted((x, y) => x - y));
  });

  test('when anything happens in any order, the ledger adds up', () => {
    const random = seededRandom();
    const buffer = new SampleBuffer(20);
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
});
