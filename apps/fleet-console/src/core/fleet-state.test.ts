import type { Order, StoredEvent } from '@bowline/messages';
import { expect, test } from 'vitest';
import {
  afterNews,
  EMPTY_FLEET,
  EVENTS_KEPT,
  ORDERS_KEPT,
  ordersOf,
  SERIES_SHOWN,
  type FleetNews,
  type FleetState,
} from './fleet-state.ts';

const order = (orderId: string, statuses: Order['status'][], more: Partial<Order> = {}): Order => ({
  orderId,
  deviceId: 'demo',
  seq: 1,
  type: 'command',
  payload: {},
  createdAt: 1000,
  status: statuses.at(-1) ?? 'queued',
  attempt: 0,
  history: statuses.map((status, index) => ({
    status,
    at: 1000 + index,
    receivedAt: 1000 + index,
    attempt: 0,
  })),
  ...more,
});
const event = (id: string, at: number, deviceId = 'demo'): StoredEvent => ({
  id,
  deviceId,
  at,
  kind: 'x',
  severity: 'info',
  data: {},
});
const after = (...news: FleetNews[]): FleetState => news.reduce(afterNews, EMPTY_FLEET);
const details = (more = {}) => ({ deviceId: 'demo', events: [], deadLetters: [], series: [], ...more });

test('when a snapshot is older than what the stream told, the later word stays', () => {
  const state = after(
    { kind: 'orders', orders: [order('o', ['queued', 'sent', 'succeeded'])] },
    { kind: 'orders', orders: [order('o', ['queued', 'sent'])] },
  );
  expect(state.orders.get('o')?.status).toBe('succeeded');
});

test('when live progress overtakes the end of an order, the order stays ended', () => {
  const ended = order('o', ['queued', 'started', 'succeeded']);
  const late = { ...order('o', ['queued', 'started', 'started']), progress: { percent: 99 } };
  expect(after({ kind: 'orders', orders: [ended] }, { kind: 'orders', orders: [late] }).orders.get('o')).toBe(
    ended,
  );
});

test('when progress comes, it replaces the progress before', () => {
  const running = order('o', ['queued', 'started']);
  const state = after(
    { kind: 'orders', orders: [{ ...running, progress: { percent: 10 } }] },
    { kind: 'orders', orders: [{ ...running, progress: { percent: 60 } }] },
  );
  expect(state.orders.get('o')?.progress?.percent).toBe(60);
});

test('when more orders come than are kept, the oldest of that device go', () => {
  const many = Array.from({ length: ORDERS_KEPT + 5 }, (_, index) =>
    order(`o${index}`, ['queued'], { createdAt: index }),
  );
  const state = after(
    { kind: 'orders', orders: [order('other', ['queued'], { deviceId: 'other', createdAt: 0 })] },
    { kind: 'orders', orders: many },
  );
  expect(ordersOf(state.orders, 'demo')).toHaveLength(ORDERS_KEPT);
  expect(ordersOf(state.orders, 'demo')[0]?.orderId).toBe(`o${ORDERS_KEPT + 4}`);
  expect(ordersOf(state.orders, 'other')).toHaveLength(1);
});

test('when an event comes twice or is of a device that is not shown, it is not added', () => {
  const state = after(
    { kind: 'details', details: details({ events: [event('a', 10)] }) },
    { kind: 'event', event: event('b', 20) },
    { kind: 'event', event: event('b', 20) },
    { kind: 'event', event: event('c', 30, 'other') },
    { kind: 'event', event: event('late', 5) },
  );
  expect(state.details?.events.map(({ id }) => id)).toEqual(['b', 'a', 'late']);
});

test('when events keep coming, the number kept is bounded', () => {
  const news = Array.from({ length: EVENTS_KEPT + 9 }, (_, index): FleetNews => ({
    kind: 'event',
    event: event(`e${index}`, index),
  }));
  expect(after({ kind: 'details', details: details() }, ...news).details?.events).toHaveLength(EVENTS_KEPT);
});

test('when a device has very many series, so many are shown, those of the machine and the newest first, and no more come by samples', () => {
  const many = Array.from({ length: 5000 }, (_, index) => ({ series: `a${index}` }));
  const live = { series: 'tank.level', last: { at: 9, value: 1 } };
  const series = [...many, live, { series: 'system.cpu.utilization' }];
  const samples = ['b', 'a0'].map((name, value) => ({ series: name, at: 1, value }));
  const state = after(
    { kind: 'details', details: { ...details(), series } },
    { kind: 'telemetry', news: { deviceId: 'demo', samples } },
  );
  expect(state.details?.series).toHaveLength(SERIES_SHOWN);
  expect(state.details?.furtherSeries).toBe(5002 - SERIES_SHOWN);
  expect(state.details?.series.slice(0, 3)).toEqual([
    { series: 'system.cpu.utilization' },
    live,
    { series: 'a0', last: { at: 1, value: 1 } },
  ]);
});

test('when samples come, the latest of each series is known, and an older one does not replace it', () => {
  const telemetry = (at: number, value: number): FleetNews => ({
    kind: 'telemetry',
    news: { deviceId: 'demo', samples: [{ series: 'cpu', at, value, unit: '1' }] },
  });
  const state = after({ kind: 'details', details: details() }, telemetry(20, 2), telemetry(10, 1));
  expect(state.details?.series).toEqual([{ series: 'cpu', unit: '1', last: { at: 20, value: 2 } }]);
});

test('when the operator signs out, nothing of the fleet stays', () => {
  const state = after(
    { kind: 'signedIn' },
    { kind: 'orders', orders: [order('o', ['queued'])] },
    { kind: 'signedOut', reason: 'expired' },
  );
  expect(state).toEqual({ ...EMPTY_FLEET, session: { kind: 'out', reason: 'expired' } });
});
