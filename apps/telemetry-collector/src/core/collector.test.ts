import { FakeClock } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { Collector, type Source } from './collector.ts';
import type { Reading } from './sample.ts';

function setUp(sources: Source[]) {
  const clock = new FakeClock();
  const warnings: unknown[] = [];
  const series: string[] = [];
  const collector = new Collector({
    sources,
    accept: (samples) => void series.push(...samples.map((each) => each.series)),
    clock,
    moment: () => ({ at: clock.wallMs(), monoMs: clock.monotonicMs(), bootId: '', quality: 'good' }),
    log: { warn: (fields: unknown) => void warnings.push(fields) },
  });
  return { clock, series, collector, warnings };
}
const source = (name: string, intervalMs: number, read: () => Promise<Reading[]>): Source => ({
  name,
  intervalMs,
  firstAfterMs: 0,
  read,
});
const one = (metric: string) => () => Promise.resolve([{ metric, value: 1, unit: '1' }]);

describe('Collector', () => {
  test('when time passes, each source is read at its own interval', async () => {
    const { clock, series } = setUp([source('fast', 1000, one('fast')), source('slow', 3000, one('slow'))]);
    await clock.advance(999);
    expect(series).toEqual(['fast', 'slow']);
    await clock.advance(2001);
    expect(series.toSorted()).toEqual(['fast', 'fast', 'fast', 'fast', 'slow', 'slow']);
  });

  test('when a source hangs, it is not read again and the others go on', async () => {
    let reads = 0;
    const hangs = () => {
      reads += 1;
      return new Promise<Reading[]>(() => {});
    };
    const { clock, series } = setUp([source('hangs', 100, hangs), source('fine', 100, one('fine'))]);
    await clock.advance(300);
    expect(reads).toBe(1);
    expect(series).toEqual(['fine', 'fine', 'fine', 'fine']);
  });

  test('when a source fails, that is said once, and again after it has worked', async () => {
    let fails = true;
    const read = () => (fails ? Promise.reject(new Error('no sensor')) : one('sensor')());
    const { clock, warnings } = setUp([source('sensor', 100, read)]);
    await clock.advance(300);
    expect(warnings.length).toBe(1);
    fails = false;
    await clock.advance(100);
    fails = true;
    await clock.advance(100);
    expect(warnings.length).toBe(2);
  });

  test('when it is reconfigured, what is read and how often is the new, at once', async () => {
    const { clock, series, collector } = setUp([source('old', 1000, one('old'))]);
    await clock.advance(0);
    collector.reconfigure([source('new', 100, one('new'))]);
    await clock.advance(250);
    expect(series).toEqual(['old', 'new', 'new', 'new']);
  });

  test('when it is stopped, nothing is read any more', async () => {
    const { clock, series, collector } = setUp([source('fast', 100, one('fast'))]);
    await clock.advance(0);
    collector.stop();
    await clock.advance(1000);
    expect(series).toEqual(['fast']);
  });
});
