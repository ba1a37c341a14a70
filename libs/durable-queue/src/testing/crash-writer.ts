/**
 * A process that writes to a store until it is killed, and tells on its standard output what it asked for and what it was
 * promised, one JSON object a line. `node crash-writer.ts FOLDER SEED REPORTS [early|noSync]`: kills itself after so many
 * reports. The controls: with `early` it tells of a promise before it was given one, with `noSync` the store gives promises
 * before anything is on disk.
 */
import { randomUUIDv7 } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { Lane } from '@bowline/messages';
import { LANES } from '../lanes.ts';
import { openQueue } from '../open-queue.ts';
import type { JournalEntry } from '../queue.ts';
import { seededRandom } from './seeded-random.ts';

export type CrashReport =
  | { kind: 'opened'; epoch: string }
  /** Stored, by promise. */
  | { kind: 'stored'; epoch: string; lane: Lane; from: number; ids: string[] }
  /** About to be receipted: may be gone from here on. */
  | { kind: 'receipting'; ids: string[] }
  /** Receipted, by promise: must be gone. */
  | { kind: 'receipted'; ids: string[] }
  | { kind: 'journalling'; orderId: string; attempt: number }
  | { kind: 'journalled'; orderId: string; attempt: number };

const [, , folder = '', seed = '1', reports = '100', control] = process.argv;
const early = control === 'early';
const random = seededRandom(Number(seed));
let told = 0;
function tell(report: CrashReport): void {
  writeSync(1, `${JSON.stringify(report)}\n`);
  told += 1;
  if (told >= Number(reports)) process.kill(process.pid, 'SIGKILL');
}

const queue = await openQueue({
  folder,
  wallMs: () => Date.now(),
  noSync: control === 'noSync',
  lanes: { telemetry: { messages: 1e6, bytes: 1e9 } },
});
tell({ kind: 'opened', epoch: queue.epoch });
await Promise.all([...LANES.map(enqueue), receiptAll(), journalAll(), renewNowAndThen()]);

async function enqueue(lane: Lane): Promise<never> {
  for (;;) {
    const messages = Array.from({ length: 1 + Math.floor(random() * (random() < 0.1 ? 400 : 5)) }, () => ({
      id: randomUUIDv7(),
      type: 'event',
      sentAt: Date.now(),
      payloadJson: JSON.stringify({ pad: 'x'.repeat(Math.floor(random() * 500)) }),
    }));
    const ids = messages.map(({ id }) => id);
    const { epoch } = queue;
    if (early) {
      tell({ kind: 'stored', epoch, lane, from: queue.lanes()[lane].next, ids });
    }
    const { seqs } = await queue.commit({ enqueue: [{ lane, messages }] });
    // A new epoch between call and answer: the numbers of neither can be told for sure.
    if (!early && epoch === queue.epoch) {
      tell({ kind: 'stored', epoch, lane, from: seqs[0]?.from ?? 0, ids });
    }
  }
}

async function receiptAll(): Promise<never> {
  for (;;) {
    const lane = LANES[Math.floor(random() * LANES.length)] ?? 'events';
    const read = queue.read(lane, 0, { messages: Math.floor(random() * 300), bytes: 1e6 });
    const last = read.at(-1);
    if (last === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    const ids = read.map(({ id }) => id);
    const { epoch } = queue;
    tell({ kind: 'receipting', ids });
    await queue.commit({ receipts: { [lane]: last.seq } });
    if (epoch === queue.epoch) tell({ kind: 'receipted', ids });
  }
}

async function journalAll(): Promise<never> {
  for (let n = 0; ; n += 1) {
    const entry: JournalEntry = {
      orderId: randomUUIDv7(),
      seq: n + 1,
      type: 'command',
      payloadJson: '{}',
      status: 'received',
      attempt: 0,
      receivedAt: Date.now(),
    };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      tell({ kind: 'journalling', orderId: entry.orderId, attempt });
      await queue.commit({ journal: [{ ...entry, attempt, status: attempt < 2 ? 'started' : 'failed' }] });
      tell({ kind: 'journalled', orderId: entry.orderId, attempt });
    }
  }
}

async function renewNowAndThen(): Promise<never> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 400));
    await queue.renewEpoch();
  }
}
