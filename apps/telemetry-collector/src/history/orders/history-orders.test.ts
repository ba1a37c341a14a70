import type { HubNotifications, HubRequests } from '@bowline/messages/hub';
import { FakeClock, waitFor } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { HistoryOrders, type HistoryOrdersOptions } from './history-orders.ts';
import type { Estimated, HistorySource } from './item.ts';

const ORDER = '01980000-0000-7000-8000-000000000001';
const LINES = Array.from({ length: 1000 }, (_, at) => ({ at, text: `"${'x'.repeat(1000)}"`, groupIndex: 0 }));
const BYTES = LINES.length * 1003 + 2;

let reports: HubRequests['reportOrder']['request'][];
let told: HubNotifications['progress'][];
beforeEach(() => {
  reports = [];
  told = [];
});

/** Estimates as it is told, and has lines of about a megabyte. */
function ordersOf(estimate: HistorySource['estimate'], maxBytes = 2 ** 21): HistoryOrders {
  const source: HistorySource = {
    estimate,
    async *items() {
      for (const each of LINES) yield await Promise.resolve(each);
    },
  };
  const options: HistoryOrdersOptions = {
    source: () => source,
    progress: { read: () => undefined, write: () => {}, remove: () => {} },
    send: () => Promise.resolve(),
    report: (report) => Promise.resolve(void reports.push(report)),
    tell: (progress) => void told.push(progress),
    waiting: () => Promise.resolve(0),
    limits: () => ({ maxBytes, mostWaiting: 100 }),
    serverClock: { nowMs: () => 0 },
    clock: new FakeClock(),
    log: { info() {}, warn() {} },
  };
  return new HistoryOrders(options);
}
const payload = { kind: 'logs' as const, app: 'a', from: 0, to: 1 };
const take = (orders: HistoryOrders, id = ORDER) =>
  orders.take({ orderId: id, payload, state: 'received', attempt: 0 });
const exact = () => Promise.resolve({ bytes: BYTES, items: LINES.length, advice: 'ask for less' });
async function ended(): Promise<string | undefined> {
  await waitFor(() => reports.some(({ status }) => status !== 'started'));
  return reports.at(-1)?.status;
}

describe('HistoryOrders', () => {
  test('when it is answered, it tells how far it is, and never all before the end', async () => {
    take(ordersOf(exact));
    expect(await ended()).toBe('succeeded');
    const percents = told.map(({ percent }) => percent ?? Number.NaN);
    expect(percents.length).toBeGreaterThan(5);
    expect(percents.toSorted((a, b) => a - b)).toEqual(percents);
    expect([percents[0], percents.at(-1)]).toEqual([expect.closeTo(12, -1), 99]);
  });

  test('when the answer has just as many bytes as it may have, it is given', async () => {
    take(ordersOf(exact, BYTES));
    expect(await ended()).toBe('succeeded');
  });

  test('when it would be far too much, it is rejected with as much as was counted', async () => {
    let enough: number | undefined;
    take(
      ordersOf((_, most) => {
        enough = most;
        return Promise.resolve({ bytes: 9000, items: 9, advice: 'ask for less', isMore: true });
      }, 1000),
    );
    expect(await ended()).toBe('rejected');
    expect([enough, reports.at(-1)?.error?.message]).toEqual([
      8000,
      'the answer would be more than 9000 bytes (9 items), more than 1000 bytes: ask for less',
    ]);
  });

  test('when it is cancelled while it is estimated, nothing is reported: the gateway knows, and the next is answered', async () => {
    let estimated: (estimated: Estimated) => void = () => {};
    let asked = 0;
    const orders = ordersOf(
      (signal) =>
        new Promise((resolve, reject) => {
          asked += 1;
          estimated = resolve;
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    take(orders);
    await waitFor(() => asked === 1);
    expect(orders.cancel(ORDER)).toBe('cancelled');
    const next = ORDER.replace(/1$/, '2');
    take(orders, next);
    await waitFor(() => asked === 2);
    estimated({ bytes: 2, items: 0, advice: '' });
    expect(await ended()).toBe('succeeded');
    expect(reports.map(({ orderId }) => orderId)).toEqual([next, next]);
  });
});
