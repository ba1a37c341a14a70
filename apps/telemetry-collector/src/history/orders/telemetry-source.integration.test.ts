import { History } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { BEGINNING, behind, type Cursor } from './item.ts';
import { telemetrySource } from './telemetry-source.ts';

const AT = 1_790_000_000_000;
const DAY_MS = 86_400_000;
const RANGE = { kind: 'telemetry', from: AT, to: AT + DAY_MS } as const;
const { signal } = new AbortController();

const open = () =>
  new History({
    folder: temporaryFolder(),
    reserveBytes: 0,
    mostSeries: 100,
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
