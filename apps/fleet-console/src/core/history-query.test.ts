import { expect, test } from 'vitest';
import type { HistoryAnswer } from '@bowline/messages';
import { historyPayload, pointsOfAnswer, stateOf } from './history-query.ts';

const HOUR = 3_600_000;
const answer = (more: Partial<HistoryAnswer> = {}): HistoryAnswer => ({
  orderId: 'o',
  deviceId: 'd',
  status: 'succeeded',
  complete: true,
  parts: 1,
  missing: [],
  spoilt: [],
  items: [],
  ...more,
});

test('when a short past is asked for, every sample comes; of a long one about as many points as one sees', () => {
  expect(historyPayload('a', HOUR, 10 * HOUR)).toEqual({
    kind: 'telemetry',
    series: ['a'],
    from: 9 * HOUR,
    to: 10 * HOUR,
  });
  expect(historyPayload('a', 24 * HOUR, 100 * HOUR)).toMatchObject({ resolutionMs: 300_000 });
  expect(historyPayload('a', 365 * 24 * HOUR, 1e5 * HOUR)).toMatchObject({ resolutionMs: 86_400_000 });
});

test('when an answer is drawn, samples count as they are and joined ones with all that they stand for; the rest is left out', () => {
  const items = [
    {
      series: 'a',
      unit: 'm',
      points: [[1, 5], [2, 1, 9, 4, 60], [3, 'open'], [3, 1, 'x', 4, 60], [3, 1, 2], [], 'nonsense'],
    },
    { series: 'b', points: [[1, 7]] },
    { series: 'a', points: [[4, 6]] },
    'a line',
  ];
  expect(pointsOfAnswer({ items }, 'a')).toEqual([
    { at: 1, value: 5 },
    { at: 2, value: 4, least: 1, most: 9, count: 60 },
    { at: 4, value: 6 },
  ]);
});

test('when an answer is looked at, it is there, on its way, or will never come', () => {
  expect(stateOf(answer(), 'a', undefined)).toEqual({ kind: 'there', points: [] });
  const coming = { complete: false, status: 'started', parts: 3 } as const;
  expect(stateOf(answer(coming), 'a', undefined)).toEqual({ kind: 'coming', parts: 3 });
  expect(stateOf(answer({ complete: false, status: 'rejected' }), 'a', 'too large')).toEqual({
    kind: 'failed',
    reason: 'The order ended rejected: too large.',
  });
});
