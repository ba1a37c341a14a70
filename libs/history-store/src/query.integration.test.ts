import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { Sample } from '@bowline/messages';
import type { History } from './history.ts';
import type { HistoryPoint } from './query.ts';
import { AT, openTestHistory, seconds } from './testing/test-history.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Hardly to be compressed: several bytes a sample. */
const noisy = (count: number, from: number): Sample[] =>
  seconds('a', count, from).map((sample, index) => ({ ...sample, value: Math.sin(from + index * index) }));

const countOf = (point: HistoryPoint): number => ('count' in point ? point.count : 1);
const sumOf = (points: readonly HistoryPoint[]) => points.reduce((sum, point) => sum + countOf(point), 0);

/** Starts of those hours of the range in which no point lies. */
function emptyHours(points: readonly HistoryPoint[], from: number, hours: number): number[] {
  const found = new Set(points.map(({ at }) => Math.floor((at - from) / HOUR)));
  return Array.from({ length: hours }, (_, hour) => hour).filter((hour) => !found.has(hour));
}

/** All pages of it, a few points each. */
function inPages(
  history: History,
  asked: { from: number; to: number; resolutionMs?: number },
  limit: number,
) {
  const points: HistoryPoint[] = [];
  for (let from: number | undefined = asked.from; from !== undefined;) {
    const answer = history.query({ series: 'a', ...asked, from, limit });
    points.push(...answer.points);
    from = answer.next;
  }
  return points;
}

/** Two hours that only we have, then ten that the gateway got, in a file with room for less. */
function nearlyFull(maxBytes: number) {
  const { history } = openTestHistory({}, { maxBytes });
  for (let part = 0; part < 144; part += 1) {
    history.record(noisy(300, AT + part * 5 * MINUTE), { unsent: part < 24 });
    history.seal();
    history.prune();
  }
  return history;
}

function inFile({ folder }: { folder: string }, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(join(folder, 'history-1.sqlite'));
  change(database);
  database.close();
}

describe('a query', () => {
  const range = { from: AT, to: AT + 12 * HOUR };

  test('when samples gave way to an older backlog, minutes fill what would look like a hole, and nothing counts twice', () => {
    const history = nearlyFull(300_000);
    const { points } = history.query({ series: 'a', ...range });
    // The backlog as it came, then minutes, then what is newest as it came.
    expect(points.slice(0, 7000).every((point) => countOf(point) === 1)).toBe(true);
    expect(points.filter((point) => countOf(point) === 60).length).toBeGreaterThan(60);
    expect(countOf(points.at(-1) as HistoryPoint)).toBe(1);
    expect(sumOf(points)).toBe(12 * 3600);
    expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).toSorted((x, y) => x - y));
    expect(inPages(history, range, 500)).toEqual(points);
    for (const resolutionMs of [10_000, MINUTE, 10 * MINUTE, HOUR])
      expect(sumOf(history.query({ series: 'a', ...range, resolutionMs }).points)).toBe(12 * 3600);
    const { samples, joined } = history.estimatePoints({ series: 'a', ...range });
    expect(samples + joined).toBe(points.length);
    history.close();
  });

  test('when a series begins in the midst of a minute and an hour, its first samples count once', () => {
    const { history } = openTestHistory();
    history.record(seconds('a', 5, AT + 37_000), { unsent: false });
    history.seal();
    for (const resolutionMs of [0, 10_000, MINUTE, HOUR])
      expect(sumOf(history.query({ series: 'a', ...range, from: AT - HOUR, resolutionMs }).points)).toBe(5);
    history.close();
  });

  test('when of the same stretch minutes have gone as well, hours fill it, and nothing counts twice', () => {
    const opened = openTestHistory();
    const all = seconds('a', 12 * 3600);
    const backlogEnds = 2 * 3600 + 630;
    opened.history.record(all.slice(0, backlogEnds), { unsent: true });
    for (let from = backlogEnds; from < all.length; from += 900) {
      opened.history.record(all.slice(from, from + 900), { unsent: false });
      opened.history.seal();
    }
    opened.history.close();
    inFile(opened, (database) =>
      database.exec(`DELETE FROM blocks WHERE tier = 0 AND unsent = 0 AND first_at < ${AT + 9 * HOUR};
        DELETE FROM blocks WHERE tier = 1 AND first_at < ${AT + 6 * HOUR}`),
    );
    const { history } = openTestHistory({ folder: opened.folder });
    const { points } = history.query({ series: 'a', ...range });
    expect([1, 60, 3600].map((count) => points.some((point) => countOf(point) === count))).toEqual([
      true,
      true,
      true,
    ]);
    expect(emptyHours(points, AT, 12)).toEqual([]);
    expect(sumOf(points)).toBe(12 * 3600);
    expect(sumOf(history.query({ series: 'a', ...range, resolutionMs: MINUTE }).points)).toBe(12 * 3600);
    history.close();
  });

  test('when a device was off, the hole stays one, and samples at its ends stay as they came', () => {
    const { history } = openTestHistory();
    for (const from of [AT + 90_500, AT + 5 * HOUR + 90_500]) {
      history.record(seconds('a', 100, from), { unsent: false });
      history.seal();
    }
    const { points } = history.query({ series: 'a', ...range });
    expect(points).toHaveLength(200);
    expect(points.every((point) => countOf(point) === 1)).toBe(true);
    history.close();
  });

  test('when one stretch was shared in the midst of what only we have, it is no hole after it gave way', () => {
    const opened = openTestHistory();
    const { history } = opened;
    const all = seconds('a', 900);
    history.record([...all.slice(0, 120), ...all.slice(780)], { unsent: true });
    history.record(all.slice(120, 780), { unsent: false });
    history.seal();
    history.close();
    inFile(opened, (database) => database.exec('DELETE FROM blocks WHERE tier = 0 AND unsent = 0'));
    const { history: again } = openTestHistory({ folder: opened.folder });
    const { points } = again.query({ series: 'a', ...range });
    expect(sumOf(points)).toBe(900);
    again.close();
  });

  test('when the past is long, its pages together are the whole, though a page looks at its beginning alone', () => {
    const { history } = openTestHistory();
    for (let block = 0; block < 300; block += 1) {
      history.record(seconds('a', 10, AT + block * MINUTE), { unsent: false });
      history.seal();
    }
    const { points } = history.query({ series: 'a', ...range });
    expect(sumOf(points)).toBe(3000);
    expect(points.every((point) => countOf(point) === 1)).toBe(true);
    expect(inPages(history, range, 100)).toEqual(points);
    history.close();
  });

  test('when samples are of moments that are not known for sure, a coarse resolution shows them, too', () => {
    const { history } = openTestHistory();
    const unsure = seconds('a', 600).map((sample, index): Sample => ({
      ...sample,
      quality: 'unsynchronised',
      bootId: 'boot',
      monoMs: index * 1000,
    }));
    history.record([...unsure, ...seconds('a', 600, AT + HOUR)], { unsent: true });
    history.seal();
    const asked = { series: 'a', ...range, resolutionMs: 5 * MINUTE };
    expect(history.query(asked).points.map((point) => countOf(point))).toEqual([300, 300, 300, 300]);
    expect(history.estimatePoints(asked).joined).toBeGreaterThanOrEqual(4);
    history.putRight('boot', (sample) => ({ ...sample, at: sample.at + 2 * HOUR, quality: 'estimated' }));
    expect(sumOf(history.query(asked).points)).toBe(1200);
    history.close();
  });

  test('when a block is damaged, what others know of its stretch is shown at once', () => {
    for (const tier of [0, 1, 2]) {
      const opened = openTestHistory();
      const all = noisy(6 * 3600, AT);
      for (let hour = 0; hour < 6; hour += 1) {
        opened.history.record(all.slice(hour * 3600, (hour + 1) * 3600), { unsent: false });
        opened.history.seal();
      }
      opened.history.close();
      inFile(opened, (database) =>
        database.exec(
          `UPDATE blocks SET crc = crc + 1 WHERE id = (SELECT min(id) FROM blocks WHERE tier = ${tier} AND first_at >= ${AT})`,
        ),
      );
      const { history, damaged } = openTestHistory({ folder: opened.folder });
      for (const resolutionMs of [0, MINUTE, HOUR])
        expect(sumOf(history.query({ series: 'a', ...range, resolutionMs }).points)).toBe(6 * 3600);
      expect(damaged).toHaveLength(1);
      history.close();
    }
  });
});
