import { join } from 'node:path';
import { openQueue, type DurableQueue, type WriteBatch } from '@bowline/durable-queue';
import type { Lane } from '@bowline/messages';
import type { Logger } from '@bowline/runtime';
import { afterThisFile, FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { Counters } from '../counters.ts';
import { EventReporter } from '../event-reporter.ts';
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
async function setUp() {
  const clock = new FakeClock();
  const folder = join(temporaryFolder(), 'store');
  const queue: DurableQueue = await openQueue({ folder, wallMs: () => clock.wallMs() });
  afterThisFile(() => queue.close());
  const messages = [1, 2, 3].map((n) => newEvent('tested', 'info', { n }, n));
  await queue.commit({ enqueue: [{ lane: 'events', messages }] });
  const counters = new Counters();
  const deletions: (WriteBatch['receipts'] & object)[] = [];
  const commit = queue.commit.bind(queue);
  queue.commit = (batch) => {
    if (batch.receipts !== undefined) deletions.push(batch.receipts);
    return commit(batch);
  };
  const lanes: Lane[] = [];
  const socket = { frames: [] as number[], unsentBytes: 0, taken: () => {} };
  const sender = new Sender(
    {
      queue,
      clock,
      log,
      counters,
      events: new EventReporter({ queue, clock, counters, log }),
      send(data, taken) {
        socket.frames.push(data.length);
        socket.taken = taken;
      },
      unsentBytes: () => socket.unsentBytes,
      async deleted(these) {
        lanes.push(...these);
      },
    },
    LIMITS,
    NOTHING_SENT,
    1,
  );
  sender.pump();
  return { queue, clock, sender, socket, deletions, lanes, waiting: () => queue.lanes().events.messages };
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
