import { join } from 'node:path';
import { openQueue, type DurableQueue, type WriteBatch } from '@bowline/durable-queue';
import type { Lane } from '@bowline/messages';
import type { Logger } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { afterThisFile, FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { Counters } from '../counters.ts';
import { EventReporter } from '../event-reporter.ts';
import { ackOf } from './send-ack.ts';
import { newEvent } from './new-message.ts';
import { Sender } from './sender.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const LIMITS = {
  heartbeatMs: 30_000,
  frameBytes: 65_536,
  inflightMessages: 100,
  inflightBytes: 2 ** 20,
  replayPerSecond: 1000,
};
const NOTHING_SENT: Record<Lane, number> = { results: 0, events: 0, telemetry: 0, history: 0 };

/** A sender on a real store that holds three events, all sent. */
async function setUp(
  limits: Partial<typeof LIMITS> = {},
  prepare?: (queue: DurableQueue) => Promise<unknown>,
  refusal?: Error,
) {
  const clock = new FakeClock();
  const folder = join(temporaryFolder(), 'store');
  const queue: DurableQueue = await openQueue({ folder, wallMs: () => clock.wallMs() });
  afterThisFile(() => queue.close());
  const messages = [1, 2, 3].map((n) => newEvent('tested', 'info', { n }, n));
  await queue.commit({ enqueue: [{ lane: 'events', messages }] });
  await prepare?.(queue);
  const counters = new Counters();
  /** What the store answers to a commit from now on. */
  let answer = refusal;
  const deletions: (WriteBatch['receipts'] & object)[] = [];
  const commit = queue.commit.bind(queue);
  queue.commit = (batch) => {
    if (batch.receipts !== undefined) deletions.push(batch.receipts);
    return answer === undefined ? commit(batch) : Promise.reject(answer);
  };
  const lanes: Lane[] = [];
  const socket = { frames: [] as string[], unsentBytes: 0, taken: () => {} };
  const sender = new Sender(
    {
      queue,
      clock,
      log,
      counters,
      events: new EventReporter({ queue, clock, counters, log }),
      send(data, taken) {
        socket.frames.push(data.toString());
        socket.taken = taken;
      },
      unsentBytes: () => socket.unsentBytes,
      async deleted(these) {
        lanes.push(...these);
      },
    },
    { ...LIMITS, ...limits },
    NOTHING_SENT,
    1,
  );
  sender.pump();
  const recover = () => (answer = undefined);
  return {
    queue,
    clock,
    sender,
    socket,
    counters,
    recover,
    deletions,
    lanes,
    waiting: () => queue.lanes().events.messages,
  };
}

test('when receipts come one after the other, what they name is deleted in one commit, and then it is said', async () => {
  const { clock, sender, deletions, lanes, waiting } = await setUp();
  await sender.receipted({ events: 1 });
  await sender.receipted({ events: 2 });
  expect(deletions).toEqual([]);
  await clock.advance(20);
  await waitFor(() => lanes.length > 0);
  expect({ deletions, lanes, waiting: waiting() }).toEqual({
    deletions: [{ events: 2 }],
    lanes: ['events'],
    waiting: 1,
  });
});

test('when the link ends, what was receipted is deleted at once, and nothing of it reaches the store later', async () => {
  const { clock, sender, deletions, lanes, waiting } = await setUp();
  await sender.receipted({ events: 2 });
  sender.stop();
  expect(deletions).toEqual([{ events: 2 }]);
  await sender.receipted({ events: 3 });
  await clock.advance(1000);
  await waitFor(() => lanes.length > 0);
  expect({ deletions, waiting: waiting() }).toEqual({ deletions: [{ events: 2 }], waiting: 1 });
});

test('when the kernel does not take what was sent, no more is read out of the store until it has taken half', async () => {
  const { queue, sender, socket } = await setUp();
  const add = async (n: number) => {
    await queue.commit({ enqueue: [{ lane: 'events', messages: [newEvent('tested', 'info', { n }, n)] }] });
    sender.pump();
  };
  expect(socket.frames).toHaveLength(3);
  socket.unsentBytes = 256 * 1024;
  await add(4);
  await add(5);
  expect(socket.frames).toHaveLength(3);
  socket.unsentBytes = 200 * 1024;
  socket.taken();
  expect(socket.frames).toHaveLength(3);
  socket.unsentBytes = 128 * 1024;
  socket.taken();
  expect(socket.frames).toHaveLength(5);
});

/** An order that has ended with a result of so many bytes. */
const ended = (bytes: number) =>
  ackOf(
    {
      orderId: '01900000-0000-7000-8000-000000000001',
      seq: 1,
      type: 'command',
      payloadJson: '{}',
      status: 'succeeded',
      attempt: 1,
      receivedAt: 1,
      resultJson: JSON.stringify('x'.repeat(bytes)),
    },
    1,
  );
const small = { frameBytes: 4096 };

test('when there is no room to set aside what is too large, nothing of it is lost, and it is set aside once there is', async () => {
  const large = newEvent('large', 'info', { pad: 'x'.repeat(5000) }, 4);
  const { queue, clock, sender, socket, counters, recover } = await setUp(
    small,
    (store) => store.commit({ enqueue: [{ lane: 'telemetry', messages: [large] }] }),
    new RejectedError('disk-full', 'full'),
  );
  await waitFor(() => counters.all()['store.refused.disk-full'], { what: 'the refusal' });
  expect(await sender.receipted({ telemetry: 1 })).toBeUndefined(); // of a server that is wrong: it was never sent
  recover();
  await clock.advance(4999);
  expect(queue.lanes().telemetry.messages).toBe(1);
  await clock.advance(1);
  await waitFor(() => queue.deadLetters(1)[0], { what: 'the dead letter' });
  expect(queue.ledger().telemetry).toMatchObject({ receipted: 0, waiting: 0, rejected: 1 });
  expect(socket.frames.join('')).not.toContain('xxx');
});

test('when the result of an order is too large, its end is told without it', async () => {
  const { queue, socket } = await setUp(small, (store) =>
    store.commit({ enqueue: [{ lane: 'results', messages: [ended(5000)] }] }),
  );
  const [letter] = await waitFor(() => queue.deadLetters(1).length > 0 && queue.deadLetters(1));
  const told = await waitFor(() => socket.frames.find((frame) => frame.includes('"ack"')));
  expect(JSON.parse(told)).toMatchObject({
    lane: 'results',
    payload: { status: 'succeeded', note: expect.stringContaining(letter?.id ?? '-') },
  });
  expect(told).not.toContain('xxx');
});

test('when a server receipts more than was sent, again and again, one event says so', async () => {
  const { queue, sender, counters } = await setUp();
  for (let times = 0; times < 3; times += 1) await sender.receipted({ events: 100 + times });
  expect(counters.all()['uplink.receipt-beyond']).toBe(3);
  expect(queue.lanes().events.messages).toBe(4);
});
