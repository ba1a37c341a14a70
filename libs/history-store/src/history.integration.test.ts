import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, describe, test } from 'vitest';
import type { Sample } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import type { History } from './history.ts';
import { AT, DAY_MS, openTestHistory, seconds } from './testing/test-history.ts';

const pointsOf = (samples: readonly Sample[]) => samples.map(({ at, value }) => ({ at, value }));
const HOUR = 3_600_000;
let ids = 0;
const newId = () => `01900000-0000-7000-8000-${String((ids += 1)).padStart(12, '0')}`;

describe('History', () => {
  test('when samples were recorded, they are there pending, sealed, and after it is opened again', () => {
    const { history, folder } = openTestHistory();
    const [a, b] = [seconds('a', 100), seconds('b', 50)];
    history.record([...a, ...b], { unsent: false });
    const all = { from: AT, to: AT + DAY_MS };
    expect(history.query({ series: 'a', ...all })).toEqual({ series: 'a', unit: 'Cel', points: pointsOf(a) });
    history.seal();
    expect(history.query({ series: 'b', ...all }).points).toEqual(pointsOf(b));
    history.close();
    const again = openTestHistory({ folder }).history;
    expect(again.query({ series: 'a', ...all }).points).toEqual(pointsOf(a));
    expect(again.seriesNames()).toEqual(['a', 'b']);
    expect(again.query({ series: 'c', ...all }).points).toEqual([]);
    again.close();
  });

  test('when a range is asked for, its first moment belongs to it and its last does not', () => {
    const { history } = openTestHistory();
    const samples = seconds('a', 9000);
    history.record(samples.slice(0, 8000), { unsent: false });
    history.seal();
    history.record(samples.slice(8000), { unsent: true });
    const [from, to] = [AT + 7_500_000, AT + 8_500_000];
    expect(history.query({ series: 'a', from, to }).points).toEqual(pointsOf(samples.slice(7500, 8500)));
    history.close();
  });

  test('when there are as many series as there may be, the smallest make room, and what only we have stays', () => {
    const { history, folder } = openTestHistory({ mostSeries: 20 });
    history.record([...seconds('sensor', 100), ...seconds('other', 50)], { unsent: false });
    history.record(seconds('unsent', 1), { unsent: true });
    const madeUp = Array.from({ length: 1000 }, (_, index) => ({
      series: `x${index}`,
      at: AT + index,
      value: 1,
    }));
    expect(history.record(madeUp, { unsent: false })).toEqual(madeUp.slice(17));
    expect(
      history.record([...madeUp.slice(999), ...seconds('sensor', 1, AT + DAY_MS)], { unsent: true }),
    ).toEqual(madeUp.slice(999));
    history.seal();
    history.prune(AT);
    expect(history.seriesNames()).toHaveLength(18);
    expect(history.seriesNames()).toEqual(expect.arrayContaining(['sensor', 'other', 'unsent', 'x2', 'x16']));
    expect(history.record(seconds('new', 1), { unsent: false })).toEqual([]);
    expect(history.query({ series: 'sensor', from: AT, to: AT + 2 * DAY_MS }).points).toHaveLength(101);
    history.close();
    const { history: again } = openTestHistory({ folder, mostSeries: 20 });
    expect(again.seriesNames()).toHaveLength(19);
    expect(again.query({ series: 'x0', from: AT, to: AT + DAY_MS }).points).toEqual([]);
    again.close();
  });

  test('when samples of very many series are given up, most are told by name and the rest as one', () => {
    const { history } = openTestHistory({}, { rawMs: 3_600_000 });
    history.record(
      Array.from({ length: 1100 }, (_, index) => ({ series: `x${index}`, at: AT, value: 1 })),
      { unsent: true },
    );
    history.seal();
    history.prune(AT + DAY_MS);
    let ids = 0;
    const gaps = history.gaps(() => `gap-${(ids += 1)}`);
    expect(gaps).toHaveLength(1001);
    expect(gaps.find(({ series }) => series === '')?.count).toBe(100);
    history.close();
  });

  test('when nothing of a series is left, its name is forgotten', () => {
    const { history } = openTestHistory({}, { rawMs: 3_600_000, minutesMs: 3_600_000, hoursMs: 3_600_000 });
    history.record(seconds('gone', 10), { unsent: false });
    history.seal();
    history.record(seconds('new', 10, AT + DAY_MS), { unsent: false });
    history.prune(AT + DAY_MS);
    // It may stand in what is pending.
    expect(history.seriesNames()).toEqual(['gone', 'new']);
    history.seal();
    history.prune(AT + DAY_MS);
    expect(history.seriesNames()).toEqual(['new']);
    history.close();
  });

  test('when a file comes from before there was a list of blocks that are not all numbers, they are known nonetheless', () => {
    const { history, folder } = openTestHistory();
    const texts = seconds('a', 100).map((sample) => ({ ...sample, value: `a text ${sample.at}` }));
    history.record([...texts, ...seconds('b', 100)], { unsent: false });
    history.seal();
    const isUneven = (of: History, series: string) =>
      of.estimatePoints({ series, from: AT, to: AT + DAY_MS }).isUneven;
    expect(isUneven(history, 'a')).toBe(true);
    history.close();
    const file = new DatabaseSync(join(folder, 'history-1.sqlite'));
    file.exec('DROP TABLE uneven; VACUUM');
    file.close();
    // It is full already.
    openTestHistory({ folder }, { maxBytes: 4096 }).history.close();
    const { history: again } = openTestHistory({ folder });
    expect(isUneven(again, 'a')).toBe(true);
    expect(isUneven(again, 'b')).toBe(false);
    again.record(seconds('b', 100, AT + 1_000_000), { unsent: false });
    again.seal();
    expect(isUneven(again, 'b')).toBe(false);
    again.close();
  });

  test('when it is asked how large an answer would be, what is outside the range or of other series does not count', () => {
    const { history } = openTestHistory();
    for (const part of [0, 1] as const) {
      const from = AT + part * 9_000_000;
      history.record(
        ['a', 'b'].flatMap((series) => seconds(series, 9000, from)),
        { unsent: part === 1 },
      );
      if (part === 0) history.seal();
    }
    const [from, to] = [AT + 8_500_000, AT + 9_500_000];
    expect(history.estimatePoints({ series: 'a', from, to })).toEqual({
      samples: 1000,
      joined: 0,
      isUneven: false,
    });
    expect(history.estimatePoints({ series: 'a', from, to, resolutionMs: 100_000 })).toEqual({
      samples: 0,
      joined: 10,
      isUneven: false,
    });
    expect(history.estimatePoints({ series: 'none', from, to })).toEqual({
      samples: 0,
      joined: 0,
      isUneven: false,
    });
    history.close();
  });

  test('when there is more than the limit, it says where to go on, and nothing comes twice or is missing', () => {
    const { history } = openTestHistory();
    const samples = seconds('a', 20_000);
    // Late ones, so that blocks overlap.
    for (const part of [samples.slice(0, 9000), samples.slice(12_000), samples.slice(9000, 12_000)]) {
      history.record(part, { unsent: false });
      history.seal();
    }
    const to = AT + DAY_MS;
    const found = [];
    let rounds = 0;
    for (let from: number | undefined = AT; from !== undefined; rounds += 1) {
      const { points, next } = history.query({ series: 'a', from, to, limit: 1000 });
      found.push(...points);
      from = next;
    }
    expect(found).toEqual(pointsOf(samples));
    expect(rounds).toBeGreaterThan(2);
    history.close();
  });

  test('when a resolution is asked for, each point is the least, greatest and mean of its stretch', () => {
    const { history } = openTestHistory();
    const samples = seconds('a', 2 * 3600);
    history.record(samples.slice(0, 5000), { unsent: false });
    history.seal();
    history.record(samples.slice(5000), { unsent: false });
    for (const resolutionMs of [10_000, 60_000, 300_000, HOUR]) {
      const { points } = history.query({ series: 'a', from: AT, to: AT + 2 * HOUR, resolutionMs });
      const width = resolutionMs / 1000;
      expect(points).toHaveLength(7200 / width);
      points.forEach((point, index) => {
        const values = samples.slice(index * width, (index + 1) * width).map(({ value }) => value as number);
        const avg = values.reduce((sum, value) => sum + value, 0) / width;
        expect(point).toEqual({
          at: AT + index * resolutionMs,
          min: Math.min(...values),
          max: Math.max(...values),
          avg: expect.closeTo(avg, 9),
          count: width,
        });
      });
    }
    history.close();
  });

  test('when samples are older than raw ones are kept, minutes of them are left, and after those hours', () => {
    const { history } = openTestHistory({}, { rawMs: HOUR, minutesMs: 12 * HOUR });
    for (let hour = 0; hour < 24; hour += 1) {
      history.record(seconds('a', 3600, AT + hour * HOUR), { unsent: false });
      history.seal();
    }
    history.prune(AT + 24 * HOUR);
    const { points } = history.query({ series: 'a', from: AT, to: AT + 24 * HOUR });
    const counts = points.map((point) => ('count' in point ? point.count : 1));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(24 * 3600);
    expect(counts.slice(0, 5)).toEqual([3600, 3600, 3600, 3600, 3600]);
    expect(counts.filter((count) => count === 60).length).toBeGreaterThan(600);
    expect(counts.slice(-3600).every((count) => count === 1)).toBe(true);
    expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).toSorted((a, b) => a - b));
    history.close();
  });

  test('when nobody trusts the clock, nothing is too old', () => {
    const { history } = openTestHistory({}, { rawMs: 1 });
    history.record(seconds('a', 10), { unsent: false });
    history.seal();
    history.prune();
    expect(history.query({ series: 'a', from: AT, to: AT + HOUR }).points).toHaveLength(10);
    history.close();
  });

  describe('blocks of many series, made in turns', () => {
    const SERIES = 600;
    const all = { from: AT, to: AT + DAY_MS };
    const minutes = (from: number, count: number): Sample[] =>
      Array.from({ length: SERIES }, (_, index) =>
        seconds(`s${index}`, count, AT + 1000 * from).map((sample) => ({ ...sample, value: index })),
      ).flat();
    /** What the history has, in whatever form, is each sample once. */
    const expectAll = (history: History, count: number, unsent: number) => {
      for (const index of [0, 1, 255, 256, 300, 511, 512, SERIES - 1]) {
        const { points } = history.query({ series: `s${index}`, ...all });
        expect(points).toEqual(
          Array.from({ length: count }, (__, n) => ({ at: AT + 1000 * n, value: index })),
        );
        const [minute] = history.query({ series: `s${index}`, ...all, resolutionMs: 60_000 }).points;
        expect(minute).toMatchObject({ count });
      }
      expect(history.stats()).toMatchObject({
        unsentSamples: unsent,
        totals: { recorded: SERIES * count, unsentRecorded: unsent, unsentGivenUp: 0, damagedBlocks: 0 },
      });
    };

    test('when others have their turn between two steps, they find all, once, and may do anything', () => {
      const { history } = openTestHistory();
      for (let at = 0; at < 40; at += 4) history.record(minutes(at, 4), { unsent: at % 8 === 0 });
      const steps = history.sealing();
      let count = 40;
      let unsent = 20 * SERIES;
      let turns = 0;
      for (; steps.next().done !== true; turns += 1) {
        expectAll(history, count, unsent);
        if (turns === 1) {
          history.record(minutes(40, 2), { unsent: true });
          [count, unsent] = [42, unsent + 2 * SERIES];
        }
        // All of it at once: what was still to be done is not there any more.
        if (turns === 2) history.seal();
      }
      expect(turns).toBe(4);
      expect(history.stats().pendingSamples).toBe(0);
      expectAll(history, count, unsent);
      history.close();
    });

    test.each([0, 1, 2, 3, 4])(
      'when it ends after %d steps, and goes on in the next life, nothing is lost and nothing there twice',
      (after) => {
        const { history, folder } = openTestHistory();
        for (let at = 0; at < 12; at += 4) history.record(minutes(at, 4), { unsent: at === 4 });
        const steps = history.sealing();
        for (let step = 0; step < after; step += 1) steps.next();
        history.close();
        const { history: again, incidents } = openTestHistory({ folder });
        expectAll(again, 12, 4 * SERIES);
        again.record(minutes(12, 3), { unsent: false });
        for (const _ of again.tidying(AT + DAY_MS)) expectAll(again, 15, 4 * SERIES);
        expectAll(again, 15, 4 * SERIES);
        expect([again.stats().pendingSamples, incidents]).toEqual([0, []]);
        again.close();
      },
    );
  });

  test('when samples are unsent, they are handed out block by block until they are marked', () => {
    const { history, folder } = openTestHistory();
    history.record(seconds('live', 10), { unsent: false });
    const [a, b] = [seconds('a', 5000), seconds('b', 3)];
    history.record([...a, ...b], { unsent: true });
    const first = history.nextUnsent();
    expect(history.nextUnsent()).toEqual(first);
    history.close();
    const again = openTestHistory({ folder }).history;
    const sent: Sample[] = [];
    for (let block = again.nextUnsent(); block !== undefined; block = again.nextUnsent()) {
      sent.push(...block.samples);
      again.markSent(block);
    }
    expect(sent.filter(({ series }) => series === 'a')).toEqual(a);
    expect(sent.filter(({ series }) => series === 'b')).toEqual(b);
    expect(again.stats()).toMatchObject({
      unsentSamples: 0,
      totals: { recorded: 5013, unsentRecorded: 5003, unsentSent: 5003, unsentGivenUp: 0 },
    });
    expect(again.query({ series: 'a', from: AT, to: AT + DAY_MS }).points).toHaveLength(5000);
    again.close();
  });

  test('when the file nears its limit, sent samples go first, unsent ones are thinned, and each of them is told', () => {
    const maxBytes = 400_000;
    const { history } = openTestHistory({}, { maxBytes });
    // Hardly to be compressed: several bytes a sample.
    const noisy = (from: number) =>
      seconds('a', 1800, from).map((sample, index) => ({ ...sample, value: Math.sin(from + index * index) }));
    for (let half = 0; half < 20; half += 1) {
      history.record(noisy(AT + half * 1_800_000), { unsent: half >= 10 });
      history.seal();
      history.prune();
      expect(history.stats().fileBytes).toBeLessThanOrEqual(maxBytes);
    }
    const { totals, unsentSamples } = history.stats();
    expect(totals.unsentGivenUp).toBe(0);
    for (let half = 20; half < 60; half += 1) {
      history.record(noisy(AT + half * 1_800_000), { unsent: true });
      history.seal();
      history.prune();
      expect(history.stats().fileBytes).toBeLessThanOrEqual(maxBytes);
    }
    expect(unsentSamples).toBe(18_000);
    const gaps = history.gaps(newId);
    expect(gaps).toMatchObject([{ series: 'a', fromAt: AT + 10 * 1_800_000 }]);
    const after = history.stats();
    expect(gaps[0]?.count).toBe(after.totals.unsentGivenUp);
    expect(after.totals.unsentRecorded).toBe(after.unsentSamples + after.totals.unsentGivenUp);
    // Thinned, not lost: of the first unsent half hour one value a minute is left.
    const thinned = history.nextUnsent()?.samples ?? [];
    expect(thinned).toHaveLength(30);
    expect(
      thinned.every(({ count, min, max }) => count === 60 && min !== undefined && max !== undefined),
    ).toBe(true);
    history.close();
  });

  test('when a gap is being told, later losses are a gap of their own, and it is told under the same id until it is', () => {
    const { history } = openTestHistory({}, { maxBytes: 200_000, rawMs: 1 });
    history.record(seconds('a', 10), { unsent: true });
    history.seal();
    history.prune(AT + DAY_MS);
    const [first] = history.gaps(newId);
    history.record(seconds('a', 7), { unsent: true });
    history.seal();
    history.prune(AT + DAY_MS);
    const both = history.gaps(newId);
    expect(both).toMatchObject([{ messageId: first?.messageId, count: 10 }, { count: 7 }]);
    if (first !== undefined) history.gapTold(first);
    expect(history.gaps(newId)).toEqual(both.slice(1));
    history.close();
  });

  test('when the disk has less free than is reserved, samples are refused, and what is there can be read', () => {
    const { history, folder } = openTestHistory();
    history.record(seconds('a', 10), { unsent: false });
    history.close();
    const full = openTestHistory({ folder, reserveBytes: 2 ** 60 }).history;
    expect(() => full.record(seconds('a', 10), { unsent: false })).toThrow(
      expect.objectContaining({ code: 'history-refused', retryable: true }),
    );
    expect(full.query({ series: 'a', from: AT, to: AT + HOUR }).points).toHaveLength(10);
    full.close();
  });

  test('when its limit is lowered while it is open, it keeps to that from the next look on', () => {
    const { history } = openTestHistory();
    const noisy = seconds('a', 20_000).map((sample, index) => ({
      ...sample,
      value: Math.sin(index * index),
    }));
    history.record(noisy, { unsent: false });
    history.seal();
    const limits = { rawMs: DAY_MS, minutesMs: DAY_MS, hoursMs: DAY_MS, maxBytes: 100_000 };
    history.reconfigure({ retention: limits, reserveBytes: 0, mostSeries: 10_000 });
    history.prune();
    expect(history.stats().fileBytes).toBeLessThanOrEqual(100_000);
    history.close();
  });

  test('when the file is full as blocks are to be made, room is made for them', () => {
    const { history } = openTestHistory({}, { maxBytes: 300_000 });
    let recorded = 0;
    for (let part = 0; part < 60; part += 1) {
      const samples = seconds('a', 2000, AT + 2_000_000 * part).map((sample, index) => ({
        ...sample,
        value: Math.sin(index * index + part),
      }));
      history.record(samples, { unsent: false });
      recorded += samples.length;
      if (part % 6 === 5) history.seal();
    }
    const { totals, pendingSamples, fileBytes } = history.stats();
    expect({ recorded: totals.recorded, pendingSamples }).toEqual({ recorded, pendingSamples: 0 });
    expect(fileBytes).toBeLessThanOrEqual(300_000);
    history.close();
  });

  test('when it becomes known when the samples of a boot were, they are put right, sealed or not, and were not old before', () => {
    const bootId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
    const other = '3f2504e0-4f89-41d3-9a0c-0305e82c3302';
    const unsure = (from: number, of = bootId): Sample[] =>
      seconds('a', 60, from).map((sample) => ({
        ...sample,
        quality: 'unsynchronised',
        bootId: of,
        monoMs: sample.at,
      }));
    const { history, folder } = openTestHistory();
    history.record(seconds('a', 60), { unsent: false });
    history.seal();
    // In 1970.
    history.record([...unsure(60_000), ...unsure(120_000, other)], { unsent: true });
    history.seal();
    history.record(unsure(180_000), { unsent: true });
    history.prune(AT + DAY_MS);
    history.close();

    const again = openTestHistory({ folder }).history;
    const offsetMs = AT + HOUR;
    const correct = (sample: Sample): Sample => {
      const { monoMs, bootId: boot, ...rest } = sample;
      if (boot !== bootId) return sample;
      return { ...rest, at: (monoMs ?? 0) + offsetMs, quality: 'estimated' };
    };
    again.putRight(bootId, correct);
    again.putRight(bootId, correct);
    again.seal();
    const moments = (from: number, to: number, more = {}) =>
      again.query({ series: 'a', from, to, ...more }).points.map(({ at }) => at);
    const minute = (from: number) => seconds('a', 60, from).map(({ at }) => at);
    expect(moments(AT, AT + DAY_MS)).toEqual([
      ...minute(AT),
      ...minute(offsetMs + 60_000),
      ...minute(offsetMs + 180_000),
    ]);
    expect(moments(0, DAY_MS)).toEqual(minute(120_000));
    expect(moments(0, AT + DAY_MS, { resolutionMs: 60_000 })).toEqual([
      120_000,
      AT,
      offsetMs + 60_000,
      offsetMs + 180_000,
    ]);
    const sent: Sample[] = [];
    for (let block = again.nextUnsent(); block !== undefined; block = again.nextUnsent()) {
      sent.push(...block.samples);
      again.markSent(block);
    }
    expect(sent.filter(({ quality }) => quality === 'estimated')).toHaveLength(120);
    expect(sent.filter(({ bootId: boot }) => boot === other)).toHaveLength(60);
    again.close();
  });

  test('when a later version has written the file, it is left as it is', () => {
    const folder = temporaryFolder();
    const { history } = openTestHistory({ folder });
    history.close();
    setVersion(folder, 2);
    expect(() => openTestHistory({ folder })).toThrow(expect.objectContaining({ code: 'history-newer' }));
    setVersion(folder, 1);
    openTestHistory({ folder }).history.close();
  });
});

function setVersion(folder: string, version: number): void {
  const database = new DatabaseSync(join(folder, 'history-1.sqlite'));
  database.prepare("UPDATE facts SET value = ? WHERE name = 'version'").run(String(version));
  database.close();
}
