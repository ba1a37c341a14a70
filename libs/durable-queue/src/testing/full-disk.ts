/**
 * A life on a disk that runs full: `node full-disk.ts FOLDER`, FOLDER on a small file system of its own. Tells what
 * happened as one JSON object.
 */
import { randomUUIDv7 } from 'node:crypto';
import { appendFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lane } from '@bowline/messages';
import { BowlineError } from '@bowline/runtime/errors';
import { LANES } from '../lanes.ts';
import { openQueue } from '../open-queue.ts';
import type { DurableQueue, JournalEntry, WriteBatch } from '../queue.ts';

const folder = process.argv[2] ?? '';
const filler = join(folder, 'filler');
const open = () => openQueue({ folder: join(folder, 'store'), wallMs: () => Date.now() });

const messages = (count: number, size: number) =>
  Array.from({ length: count }, () => ({
    id: randomUUIDv7(),
    type: 'event',
    sentAt: 1,
    payloadJson: JSON.stringify({ pad: 'x'.repeat(size) }),
  }));

async function outcome(queue: DurableQueue, batch: WriteBatch): Promise<string> {
  try {
    await queue.commit(batch);
    return 'ok';
  } catch (error) {
    return error instanceof BowlineError ? error.code : String(error);
  }
}

/** Commits until it is refused. @returns how many batches went in, and how it was refused. */
async function untilRefused(
  queue: DurableQueue,
  next: () => WriteBatch,
): Promise<{ stored: number; refusal: string }> {
  for (let stored = 0; stored < 100_000; stored += 1) {
    const refusal = await outcome(queue, next());
    if (refusal !== 'ok') return { stored, refusal };
  }
  return { stored: 100_000, refusal: 'never' };
}

const fill = (queue: DurableQueue, lane: Lane, size: number) =>
  untilRefused(queue, () => ({ enqueue: [{ lane, messages: messages(4, size) }] }));

function fillDisk(): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(size, 1));
    } catch {
      // Full for pieces of this size.
    }
  }
}

/** Whether what the store says of itself is what can be read from it. */
const consistent = (queue: DurableQueue): boolean =>
  LANES.every((lane) => {
    const { messages } = queue.lanes()[lane];
    const { accepted, receipted, expired, dropped, rejected, waiting } = queue.ledger()[lane];
    return (
      queue.read(lane, 0, { messages: 1e9, bytes: 1e12 }).length === messages &&
      waiting === messages &&
      accepted === receipted + expired + dropped + rejected + waiting
    );
  });

const order: JournalEntry = {
  orderId: randomUUIDv7(),
  seq: 1,
  type: 'command',
  payloadJson: '{}',
  status: 'received',
  attempt: 0,
  receivedAt: 1,
};
const freeBytes = () => statfsSync(folder).bavail * statfsSync(folder).bsize;
const ack = (status: JournalEntry['status']): WriteBatch => ({
  journal: [{ ...order, status }],
  enqueue: [{ lane: 'results', messages: messages(1, 200) }],
});

/** With a clock that stands still the store does not notice that others fill the disk: its writes really fail. */
async function surprise() {
  const surprised = await openQueue({
    folder: join(folder, 'surprised'),
    wallMs: () => 1,
    monotonicMs: () => 1,
    bootId: 'one',
  });
  for (let n = 0; n < 10; n += 1) {
    await surprised.commit({ enqueue: [{ lane: 'history', messages: messages(10, 4000) }] });
  }
  fillDisk();
  const together = await Promise.all([
    outcome(surprised, { enqueue: [{ lane: 'history', messages: messages(100, 4000) }] }),
    outcome(surprised, { receipts: { history: 5 } }),
    outcome(surprised, { meta: { a: 'b' } }),
  ]);
  const full = consistent(surprised);
  rmSync(filler);
  const refused = await outcome(surprised, { enqueue: [{ lane: 'history', messages: messages(100, 4000) }] });
  const { messages: waiting } = surprised.lanes().history;
  await surprised.close();
  rmSync(join(folder, 'surprised'), { recursive: true });
  return { together, full, refused, waiting };
}

const surprised = await surprise();
writeFileSync(filler, '');
let queue = await open();
await queue.commit(ack('received'));
const history = await fill(queue, 'history', 4000);
const freeAfterHistory = freeBytes();
const telemetry = await fill(queue, 'telemetry', 4000);
const events = await fill(queue, 'events', 1000);
const freeAfterEvents = freeBytes();
// The file system is asked again now and then, and may tell of a little more room than was reckoned with.
const newOrders = await untilRefused(queue, () => ({
  journal: [{ ...order, orderId: randomUUIDv7(), seq: 2 }],
}));

fillDisk();
const onFullDisk = {
  free: freeBytes(),
  event: await outcome(queue, { enqueue: [{ lane: 'events', messages: messages(1, 100) }] }),
  receipts: await outcome(queue, { receipts: { history: 20, events: 3 } }),
  ack: await outcome(queue, ack('started')),
  together: await Promise.all([
    outcome(queue, { enqueue: [{ lane: 'history', messages: messages(50, 4000) }] }),
    outcome(queue, { receipts: { history: 40 } }),
  ]),
  consistent: consistent(queue),
};
/** As often as a server likes that has always more than this store: no file is written anew. */
const size = queue.fileBytes();
const renewed = [];
for (let n = 0; n < 20; n += 1) {
  const before = queue.epoch;
  await queue.renewEpoch();
  const { first, next, messages: waiting } = queue.lanes().history;
  const last = queue
    .read('history', next - 2, { messages: 1, bytes: 1 })
    .map(({ json }) => JSON.parse(json).seq);
  renewed.push(queue.epoch !== before && first === 1 && next === waiting + 1 && last[0] === waiting);
}
const onFullDiskAnew = {
  renewed: renewed.every(Boolean),
  grown: queue.fileBytes() - size,
  consistent: consistent(queue),
};
const { epoch } = queue;
await queue.close();

queue = await open();
const reopenedFull = {
  sameEpoch: queue.epoch === epoch,
  recovery: queue.recovery,
  consistent: consistent(queue),
  receipts: await outcome(queue, { receipts: { history: 60 } }),
  history: await outcome(queue, { enqueue: [{ lane: 'history', messages: messages(1, 4000) }] }),
};

rmSync(filler);
// The file system is asked again a tenth of a second later at the latest.
let withRoom = 'never';
for (let tries = 0; tries < 100 && withRoom !== 'ok'; tries += 1) {
  withRoom = await outcome(queue, { enqueue: [{ lane: 'events', messages: messages(1, 100) }] });
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const end = { withRoom, ack: await outcome(queue, ack('succeeded')), consistent: consistent(queue) };
await queue.close();
process.stdout.write(
  JSON.stringify({
    surprised,
    history,
    freeAfterHistory,
    telemetry,
    events,
    freeAfterEvents,
    newOrders,
    onFullDisk,
    onFullDiskAnew,
    reopenedFull,
    end,
  }),
);
