import { join } from 'node:path';
import { openQueue, type JournalEntry, type QueueOptions } from '@bowline/durable-queue';
import { ServerClock, type Logger } from '@bowline/runtime';
import { afterThisFile, FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import { Counters } from '../counters.ts';
import { EventReporter } from '../event-reporter.ts';
import { newEvent } from '../sender/new-message.ts';
import { OrderDesk } from './order-desk.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const APP = 'command-executor';

/** A desk on a real store, whose app is here and idle unless the test says otherwise. */
async function setUp(lanes: QueueOptions['lanes'] = {}) {
  const clock = new FakeClock();
  const queue = await openQueue({
    folder: join(temporaryFolder(), 'store'),
    wallMs: () => clock.wallMs(),
    lanes,
  });
  afterThisFile(() => queue.close());
  type Cancel = ConstructorParameters<typeof OrderDesk>[0]['cancel'];
  const noAnswer: () => ReturnType<Cancel> = async () => undefined;
  const state = { idle: true, receipts: 0, commits: 0, cancel: noAnswer, onCommit: () => {} };
  const offered: string[] = [];
  const commit = queue.commit.bind(queue);
  queue.commit = (batch) => {
    state.commits += 1;
    state.onCommit();
    return commit(batch);
  };
  const desk = new OrderDesk({
    queue,
    clock,
    serverClock: new ServerClock(clock),
    log,
    events: new EventReporter({ queue, clock, counters: new Counters(), log }),
    bootId: 'boot',
    parkedOrders: () => 4,
    own: new Map(),
    supports: () => true,
    startsAtOnce: () => state.idle,
    offer: ({ orderId }: JournalEntry) => offered.push(orderId),
    cancel: () => state.cancel(),
    stored() {},
    receipt: () => (state.receipts += 1),
  });
  let seq = 0;
  const order = (payload: Record<string, unknown> = { name: 'ping', params: {} }, type = 'command') => ({
    orderId: uuidv7(),
    seq: (seq += 1),
    type,
    payload,
  });
  const acks = () =>
    queue
      .read('results', 0, { messages: 100, bytes: 1e6 })
      .map(({ json }) => (JSON.parse(json) as { payload: { status: string } }).payload.status);
  const started = (orderId: string) => desk.report(APP, orderId, { status: 'started', at: 1, attempt: 1 });
  return { clock, queue, desk, state, offered, order, acks, started };
}

test('when an idle app starts an order at once, `received` and `started` are one commit, and then it is receipted', async () => {
  const { desk, state, offered, order, acks, started, queue } = await setUp();
  const one = order();
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  expect([state.commits, state.receipts, queue.order(one.orderId)]).toEqual([0, 0, undefined]);
  expect(await started(one.orderId)).toBe(1);
  await received;
  expect([state.commits, state.receipts]).toEqual([1, 1]);
  expect(acks()).toEqual(['received', 'started']);
  expect(queue.order(one.orderId)).toMatchObject({ status: 'started', attempt: 1 });
  expect(queue.downlink().received).toBe(1);
});

test('when the app takes its time, the order is stored without it and starts in a commit of its own', async () => {
  const { clock, desk, offered, order, acks, started } = await setUp();
  const one = order();
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  await clock.advance(20);
  await received;
  expect(acks()).toEqual(['received']);
  await started(one.orderId);
  expect(acks()).toEqual(['received', 'started']);
  expect(offered).toHaveLength(1);
});

test('when the app refuses the order that it was told of, both states are stored in turn', async () => {
  const { desk, offered, order, acks } = await setUp();
  const one = order();
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  await desk.report(APP, one.orderId, {
    status: 'rejected',
    at: 1,
    error: { code: 'policy', message: 'no' },
  });
  await received;
  expect(acks()).toEqual(['received', 'rejected']);
});

test('when another order comes meanwhile, the first is stored before it', async () => {
  const { desk, state, offered, order, queue } = await setUp();
  const [one, two] = [order(), order()];
  const first = desk.receive(one);
  await waitFor(() => offered.length === 1);
  state.idle = false;
  await Promise.all([first, desk.receive(two)]);
  expect(queue.unfinishedOrders().map(({ orderId }) => orderId)).toEqual([one.orderId, two.orderId]);
  expect(queue.downlink().received).toBe(2);
});

test('when an order may have expired, it does not start before that is decided', async () => {
  const { desk, offered, order, acks, started } = await setUp();
  const one = order({ name: 'ping', params: {}, expiresAt: 1 });
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  await expect(started(one.orderId)).rejects.toMatchObject({ code: 'no-server-time' });
  await received;
  expect(acks()).toEqual(['received']);
});

test('when the link is lost first, nothing of the order is stored and its app may not start it', async () => {
  const { clock, desk, state, offered, order, acks, started, queue } = await setUp();
  const one = order();
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  desk.dropParked();
  await received;
  await expect(started(one.orderId)).rejects.toMatchObject({ code: 'unknown-order' });
  expect([acks(), state.receipts, queue.downlink().received]).toEqual([[], 0, 0]);
  const again = desk.receive({ ...one });
  await waitFor(() => offered.length === 2);
  await clock.advance(20);
  await again;
  expect(acks()).toEqual(['received']);
});

test('when the store has no room for both, the order is parked unreceipted, and its app may not start it', async () => {
  const { clock, desk, state, offered, order, acks, started } = await setUp({
    results: { messages: 4, bytes: 1e6 },
  });
  const one = order();
  const received = desk.receive(one);
  await waitFor(() => offered.length === 1);
  await expect(started(one.orderId)).rejects.toMatchObject({ code: 'unknown-order' });
  await clock.advance(20);
  await received;
  expect([acks(), state.receipts]).toEqual([[], 0]);
});

test('when an app does not answer a cancel, other orders go on meanwhile, and the cancel is decided when it does', async () => {
  const { desk, state, order, queue, started } = await setUp();
  state.idle = false;
  const target = order();
  await desk.receive(target);
  const answer = Promise.withResolvers<'cancelled' | undefined>();
  let asked = 0;
  state.cancel = () => {
    asked += 1;
    return answer.promise;
  };
  const cancel = order({ orderId: target.orderId }, 'cancel');
  await desk.receive(cancel);
  await desk.settleWaiting();
  const other = order();
  await desk.receive(other);
  expect(await started(other.orderId)).toBe(1);
  expect([asked, queue.order(cancel.orderId)?.status]).toEqual([1, 'received']);
  answer.resolve('cancelled');
  await waitFor(() => queue.order(cancel.orderId)?.status === 'succeeded');
  expect(queue.order(target.orderId)?.status).toBe('cancelled');
});

test('when an order that is being stopped is cancelled once more, both cancels end with it', async () => {
  const { desk, state, order, queue, started } = await setUp();
  state.idle = false;
  state.cancel = () => Promise.resolve('stopping');
  const target = order();
  await desk.receive(target);
  await started(target.orderId);
  const cancels = [1, 2].map(() => order({ orderId: target.orderId }, 'cancel'));
  for (const cancel of cancels) await desk.receive(cancel);
  // Asked for both, as far as one can see: neither has ended.
  await desk.settleWaiting();
  await desk.report('command-executor', target.orderId, { status: 'cancelled', at: 1 });
  await waitFor(() => cancels.every(({ orderId }) => queue.order(orderId)?.status === 'succeeded'), {
    what: 'both cancels to end',
  });
});

test('when the link is lost while parked orders are taken, the rest of them is left to the next link', async () => {
  const { desk, state, order, acks, queue } = await setUp({ results: { messages: 30, bytes: 1e6 } });
  state.idle = false;
  const fillers = Array.from({ length: 28 }, (_, n) => newEvent('filler', 'info', { n }, n));
  await queue.commit({ enqueue: [{ lane: 'results', messages: fillers }] });
  for (const each of [order(), order(), order()]) await desk.receive(each);
  expect(queue.downlink().received).toBe(0);
  await queue.commit({ receipts: { results: 28 } });
  state.onCommit = () => desk.dropParked();
  await desk.retryParked();
  expect(queue.downlink().received).toBe(1);
  expect(acks()).toHaveLength(1);
});

test('when more orders come than may be parked, none behind them is taken on this link, and the operators are told', async () => {
  const { desk, state, order, queue } = await setUp({ results: { messages: 7, bytes: 1e6 } });
  state.idle = false;
  const orders = Array.from({ length: 8 }, () => order());
  for (const each of orders) await desk.receive(each);
  expect(queue.downlink().received).toBe(1);
  const told = () =>
    queue.read('events', 0, { messages: 9, bytes: 1e6 }).map(({ json }) => JSON.parse(json).payload);
  expect(told()).toMatchObject([{ kind: 'orders-beyond-window', data: { from: 6, window: 4 } }]);

  // Room for one order, and then for the next: the four that were parked are all that is ever taken.
  const make = async (each: typeof orders) => {
    for (const { orderId } of each) {
      await desk.report(APP, orderId, { status: 'started', at: 1, attempt: 1 });
      await desk.report(APP, orderId, { status: 'failed', at: 1, error: { code: 'x', message: 'x' } });
      await queue.commit({ receipts: { results: queue.lanes().results.next - 1 } });
      await desk.retryParked();
    }
  };
  await make(orders.slice(0, 5));
  await desk.receive(order());
  expect(queue.downlink().received).toBe(5);
  desk.dropParked();
  for (const each of orders.slice(5, 6)) await desk.receive(each);
  expect(queue.downlink().received).toBe(6);
  expect(told()).toHaveLength(1);
});

test('when a cancel names itself, it ends once, as too late', async () => {
  const { desk, state, order, queue, acks } = await setUp();
  state.idle = false;
  const orderId = uuidv7();
  await desk.receive({ ...order({ orderId }, 'cancel'), orderId });
  await desk.settleWaiting();
  expect(acks()).toEqual(['received', 'started', 'failed']);
  expect(queue.order(orderId)).toMatchObject({ status: 'failed', error: { code: 'too-late' } });
});
