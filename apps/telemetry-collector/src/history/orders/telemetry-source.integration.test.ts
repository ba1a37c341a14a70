import { History } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';
import { expect, onTestFinished, test, vi } from 'vitest';
import { BEGINNING, behind, type Cursor } from './item.ts';
import { packParts } from './pack-parts.ts';
import { telemetrySource } from './telemetry-source.ts';

const AT = 1_790_000_000_000;
const DAY_MS = 86_400_000;
const RANGE = { kind: 'telemetry', from: AT, to: AT + DAY_MS } as const;
const { signal } = new AbortController();

const open = (mostSeries = 100) =>
  new History({
    folder: temporaryFolder(),
    reserveBytes: 0,
    mostSeries,
    retention: { rawMs: 7 * DAY_MS, minutesMs: 7 * DAY_MS, hoursMs: 7 * DAY_MS, maxBytes: 64 * 2 ** 20 },
  });
const seconds = (series: string, count: number): Sample[] =>
  Array.from({ length: count }, (_, index) => ({ series, at: AT + 1000 * index, value: index }));

test('when a series comes up while an answer is cut off, the rest goes on where it was', async () => {
  const history = open();
  history.record([...seconds('b', 3), ...seconds('d', 3), ...seconds('d', 3)], { unsent: false });
  const source = telemetrySource(history, RANGE);
  const came: string[] = [];
  let cursor: Cursor = BEGINNING;
  for await (const item of source.items(cursor, signal)) {
    came.push(`${item.group?.series} ${item.text}`);
    cursor = behind(cursor, item);
    if (came.length === 4) break;
  }
  history.record([...seconds('a', 2), ...seconds('c', 2), ...seconds('e', 1)], { unsent: false });
  for await (const item of source.items(cursor, signal)) came.push(`${item.group?.series} ${item.text}`);
  const expected = ['b', 'd', 'e'].flatMap((series) =>
    seconds(series, series === 'e' ? 1 : 3).flatMap(({ at, value }) =>
      Array.from({ length: series === 'd' ? 2 : 1 }, () => `${series} [${at},${String(value)}]`),
    ),
  );
  expect(came).toEqual(expected);
  history.close();
});

test('when much waits to become blocks, a request of little is estimated as little', async () => {
  const history = open();
  const names = Array.from({ length: 50 }, (_, index) => `s${index}`);
  history.record(
    names.flatMap((name) => seconds(name, 600)),
    { unsent: false },
  );
  const estimate = await telemetrySource(history, { ...RANGE, to: AT + 2000 }).estimate(signal);
  expect(estimate).toMatchObject({ items: 100 });
  expect(estimate.bytes).toBeLessThan(10_000);
  history.close();
});

test('when values are texts, averages or truth values, the estimate is what they take', async () => {
  const history = open();
  const line = (index: number) => `${'x'.repeat(900)} ${index}`;
  const values = (index: number): Partial<Sample>[] => [
    { series: 'log', value: line(index) },
    {
      series: 'average',
      value: 1 / (index + 3),
      count: 60,
      min: -1 / (index + 7),
      max: 1e-100 / (index + 9),
    },
    { series: 'door', value: index % 2 === 0 },
    { series: 'number', value: -1 / (index + 3) },
  ];
  const record = (from: number, to: number) =>
    history.record(
      Array.from({ length: to - from }, (_, index) =>
        values(from + index).map((value): Sample => ({
          series: '',
          at: AT + 1000 * (from + index),
          value: 0,
          ...value,
        })),
      ).flat(),
      { unsent: false },
    );
  record(0, 900);
  history.seal();
  // In blocks, and not yet.
  for (const more of [0, 300]) {
    if (more > 0) record(900, 900 + more);
    for (const wish of [RANGE, { ...RANGE, resolutionMs: 60_000 }, { ...RANGE, series: ['log'] }]) {
      const source = telemetrySource(history, wish);
      const estimate = await source.estimate(signal);
      let sum = 0;
      for await (const { bytes } of packParts(source.items(BEGINNING, signal), BEGINNING)) sum += bytes;
      expect(estimate.bytes).toBeGreaterThanOrEqual(sum);
      expect(estimate.bytes).toBeLessThan(1.5 * sum + 2000);
    }
  }
  const { bytes, isMore } = await telemetrySource(history, RANGE).estimate(signal, 100_000);
  expect([bytes > 100_000, bytes < 110_000, isMore]).toEqual([true, true, true]);
  history.close();
});

test('when a series has texts or averages for a while only, the estimate is what they take', async () => {
  const history = open();
  const at = (index: number) => AT + 1000 * index;
  const texts = (from: number) =>
    Array.from({ length: 300 }, (_, index): Sample => ({
      series: 'a',
      at: at(from + index),
      value: `${'x'.repeat(500)} ${index}`,
    }));
  for (const part of [0, 1, 2, 3]) {
    const numbers = seconds('a', 300).map((sample) => ({ ...sample, at: sample.at + 300_000 * part }));
    history.record(part === 1 ? texts(300) : numbers, { unsent: false });
    history.seal();
  }
  const sizeOf = async (request: object) => {
    const source = telemetrySource(history, { ...RANGE, ...request });
    let sum = 0;
    for await (const { bytes } of packParts(source.items(BEGINNING, signal), BEGINNING)) sum += bytes;
    return { ...(await source.estimate(signal)), sum };
  };
  const all = await sizeOf({});
  expect(all.bytes).toBeGreaterThanOrEqual(all.sum);
  // Only numbers: by their count, more than they take.
  expect((await sizeOf({ from: at(600) })).bytes).toBeGreaterThan(600 * 40);
  history.close();
});

test('when there are very many series, what waits to become blocks is unpacked once and not for each of them', async () => {
  const history = open(1000);
  const names = Array.from({ length: 500 }, (_, index) => `s${index}`);
  for (let minute = 0; minute < 10; minute += 1)
    history.record(
      names.map((series) => ({ series, at: AT + 60_000 * minute, value: minute })),
      { unsent: false },
    );
  const unpacked = vi.spyOn(zlib, 'inflateRawSync');
  syncBuiltinESMExports();
  onTestFinished(() => {
    unpacked.mockRestore();
    syncBuiltinESMExports();
  });
  const source = telemetrySource(history, RANGE);
  expect(await source.estimate(signal)).toMatchObject({ items: 5000 });
  let items = 0;
  for await (const part of packParts(source.items(BEGINNING, signal), BEGINNING)) items += part.items;
  expect(items).toBe(5000);
  expect(unpacked).toHaveBeenCalledTimes(10);
  history.close();
});
