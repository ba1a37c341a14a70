import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Gap, Lane } from '@bowline/messages';
import { readRoots } from '@bowline/record-store';
import { LANES } from './lanes.ts';
import type { DurableQueue, JournalEntry, NewMessage } from './queue.ts';
import { seededRandom } from './testing/seeded-random.ts';
import {
  ledgerHolds,
  message,
  messages,
  NO_LIMIT,
  openTestQueue,
  order,
  temporaryFolder,
} from './testing/test-queue.ts';

const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);
const DAMAGES = Number(process.env['BOWLINE_DAMAGES'] ?? 8);

const MARK = 'here lies the damage';

interface Expected {
  epoch: string;
  /** id → what was stored. */
  messages: Map<string, { lane: Lane; seq: number; payload: unknown }>;
  /** All that it ever held: what was taken out may come back. */
  ever: Map<string, unknown>;
  next: Record<Lane, number>;
  orders: JournalEntry[];
}

/** A store with something of everything, closed. */
async function makeStore(folder: string): Promise<Expected> {
  const queue = await openTestQueue({ folder, lanes: { telemetry: { messages: 300, bytes: 1e6 } } });
  const ever = new Map<string, unknown>();
  const remember = (batch: NewMessage[]): NewMessage[] => {
    for (const { id, payloadJson } of batch) ever.set(id, JSON.parse(payloadJson));
    return batch;
  };
  for (let round = 0; round < 12; round += 1) {
    for (const lane of LANES) {
      await queue.commit({
        enqueue: [{ lane, messages: remember(messages(1 + ((round * 13) % 50), 'event')) }],
      });
    }
    await queue.commit({
      enqueue: [
        { lane: 'history', messages: remember([message('history', { data: 'x'.repeat(9000 * round) })]) },
      ],
      producer: { app: 'a', id: randomUUID(), batch: round + 1 },
      meta: { [`name-${round}`]: String(round) },
    });
  }
  await queue.commit({ receipts: { history: 60, results: 7 } });
  const orders = Array.from({ length: 30 }, (_, n) => order(n % 3 === 0 ? {} : { status: 'succeeded' }));
  for (const entry of orders) await queue.commit({ journal: [entry] });
  const aside = [100, 101, 140].map((seq) => ({
    lane: 'events' as const,
    seq,
    reason: 'corrupt' as const,
    detail: '',
  }));
  await queue.commit({ setAside: aside });
  const expected: Expected = {
    epoch: queue.epoch,
    messages: new Map(),
    ever,
    next: { results: 0, events: 0, telemetry: 0, history: 0 },
    orders,
  };
  for (const lane of LANES) {
    expected.next[lane] = queue.lanes()[lane].next;
    for (const { id, seq, json } of queue.read(lane, 0, NO_LIMIT)) {
      expected.messages.set(id, { lane, seq, payload: JSON.parse(json).payload });
    }
  }
  await queue.close();
  return expected;
}

/** What is wrong with a store that was opened after its file had been damaged: it may lack something, but must say so. */
function lies(queue: DurableQueue, expected: Expected): string[] {
  const lies: string[] = [];
  const gaps: Gap[] = [];
  const present = new Set<string>();
  const sameEpoch = queue.epoch === expected.epoch;
  for (const lane of LANES) {
    let count = 0;
    for (const { id, seq, json } of queue.read(lane, 0, NO_LIMIT)) {
      const { type, payload, seq: inside } = JSON.parse(json);
      const known = expected.messages.get(id);
      count += 1;
      present.add(id);
      if (inside !== seq) lies.push(`${lane} ${seq} says ${inside}`);
      if (type === 'gap') gaps.push(payload);
      else if (JSON.stringify(expected.ever.get(id)) !== JSON.stringify(payload))
        lies.push(`${lane} ${seq} has changed`);
      else if (sameEpoch && known !== undefined && known.seq !== seq)
        lies.push(`${lane} ${known.seq} has become ${seq}`);
    }
    if (count !== queue.lanes()[lane].messages)
      lies.push(`${lane} counts ${queue.lanes()[lane].messages} for ${count}`);
    if (sameEpoch && queue.lanes()[lane].next < expected.next[lane]) lies.push(`${lane} uses seqs again`);
  }
  const corrupt = (lane: Lane) => gaps.filter((gap) => gap.lane === lane && gap.reason === 'corrupt');
  for (const [id, { lane, seq }] of expected.messages) {
    if (present.has(id)) continue;
    const told = corrupt(lane).some(({ from = 0, to = 0 }) => (sameEpoch ? from <= seq && seq <= to : true));
    if (!told) lies.push(`${lane} ${seq} is missing and no gap says so`);
  }
  for (const entry of expected.orders) {
    const found = queue.order(entry.orderId);
    const whole = JSON.stringify(found) === JSON.stringify(entry);
    if (!whole && found?.status !== 'indeterminate' && queue.recovery?.kind !== 'salvaged') {
      lies.push(`order ${entry.orderId} is forgotten`);
    }
  }
  if (!ledgerHolds(queue)) lies.push('the ledger does not add up');
  return lies;
}

async function openDamaged(folder: string, expected: Expected, what: string) {
  const queue = await openTestQueue({ folder, lanes: { telemetry: { messages: 300, bytes: 1e6 } } });
  expect(lies(queue, expected), what).toEqual([]);
  await queue.commit({ enqueue: LANES.map((lane) => ({ lane, messages: messages(3, 'event') })) });
  await queue.close();
  const again = await openTestQueue({ folder, lanes: { telemetry: { messages: 300, bytes: 1e6 } } });
  expect(again.recovery, `${what}, second opening`).toBeUndefined();
  expect(ledgerHolds(again), what).toBe(true);
  await again.close();
  return queue.recovery;
}

function readU16(handle: number, at: number): number {
  const bytes = Buffer.alloc(2);
  readSync(handle, bytes, 0, 2, at);
  return bytes.readUInt16LE(0);
}

/** Changes a byte of every copy of the marked message: old copies of its page lie about in the file. */
function spoilMark(file: string): void {
  const handle = openSync(file, 'r+');
  const content = readFileSync(file);
  for (let at = content.indexOf(MARK); at >= 0; at = content.indexOf(MARK, at + 1))
    writeSync(handle, 'X', at);
  closeSync(handle);
}

describe('a damaged file', () => {
  test('when a stored message was damaged while the store was closed, the epoch stays and a gap names the message', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    const { epoch } = queue;
    for (const text of ['before', MARK, 'after']) {
      await queue.commit({ enqueue: [{ lane: 'history', messages: [message('telemetry', { text })] }] });
    }
    await queue.close();
    spoilMark(join(folder, 'store.mdb'));

    const again = await openTestQueue({ folder });
    expect(again.epoch).toBe(epoch);
    expect(again.recovery).toMatchObject({ kind: 'mended', lost: { results: 0, events: 0, history: 1 } });
    expect(again.read('history', 0, NO_LIMIT).map(({ seq }) => seq)).toEqual([1, 3]);
    const [gap] = again.read('events', 0, NO_LIMIT);
    expect(JSON.parse(gap?.json ?? '').payload).toEqual({
      lane: 'history',
      from: 2,
      to: 2,
      count: 1,
      reason: 'corrupt',
    });
  });

  test('when the list of free pages is damaged, which would end the process that writes, all is moved to a new file', async () => {
    const folder = temporaryFolder();
    const expected = await makeStore(folder);
    const handle = openSync(join(folder, 'store.mdb'), 'r+');
    const { freeRoot = 0, pageSize = 0 } = readRoots(handle) ?? {};
    // The upper half of the last node's key length: the numbers behind it are read from elsewhere.
    const node = freeRoot * pageSize + 24 + readU16(handle, freeRoot * pageSize + 24);
    writeSync(handle, Buffer.of(2), 0, 1, node + 7);
    closeSync(handle);
    const recovery = await openDamaged(folder, expected, 'list of free pages');
    expect(recovery).toMatchObject({
      kind: 'mended',
      detail: 'the list of free pages is damaged',
      lost: { results: 0, events: 0, telemetry: 0, history: 0 },
    });
  });

  for (const kind of ['bits', 'sectors'] as const) {
    test(`when ${kind} of it are damaged (${DAMAGES} times, seed ${SEED}), the store opens with right data or a reported gap`, async () => {
      const random = seededRandom(SEED);
      const original = temporaryFolder();
      const expected = await makeStore(original);
      const size = statSync(join(original, 'store.mdb')).size;
      const found: (string | undefined)[] = [];
      for (let round = 0; round < DAMAGES; round += 1) {
        const folder = temporaryFolder();
        mkdirSync(folder, { recursive: true });
        const file = join(folder, 'store.mdb');
        copyFileSync(join(original, 'store.mdb'), file);
        // Every third time in the first pages, which hold the root.
        const at = Math.floor(random() * (round % 3 === 0 ? 8192 : size));
        const content = readFileSync(file);
        if (kind === 'bits') content[at] = (content[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        else content.fill(0, at - (at % 512), at - (at % 512) + 512);
        writeFileSync(file, content);
        found.push((await openDamaged(folder, expected, `${kind} at ${at}, seed ${SEED}`))?.kind);
      }
      expect(found).toHaveLength(DAMAGES);
    }, 600_000);
  }

  test('when it was cut short or is not a store at all, what can be found is saved under a new epoch', async () => {
    const original = temporaryFolder();
    const expected = await makeStore(original);
    const content = readFileSync(join(original, 'store.mdb'));
    for (const damaged of [
      content.subarray(0, content.length / 2),
      Buffer.alloc(100_000, 7),
      Buffer.alloc(0),
    ]) {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'store.mdb'), damaged);
      expect((await openDamaged(folder, expected, `${damaged.length} bytes`))?.kind).toBe('salvaged');
      expect(statSync(join(folder, 'damaged.mdb')).size).toBe(damaged.length);
    }
  });

  test('when a segment goes bad while the store is open, reading goes on behind it and a gap names it', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    const marked = message('telemetry', { text: MARK });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(3) }] });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: [message(), marked] }] });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(3) }] });
    const file = join(folder, 'store.mdb');
    spoilMark(file);

    expect(queue.read('telemetry', 0, NO_LIMIT).map(({ seq }) => seq)).toEqual([1, 2, 3, 6, 7, 8]);
    await queue.commit({ receipts: { telemetry: 3 } });
    await queue.commit({});
    expect(queue.read('telemetry', 0, NO_LIMIT).map(({ seq }) => seq)).toEqual([6, 7, 8]);
    const [gap] = queue.read('events', 0, NO_LIMIT);
    expect(JSON.parse(gap?.json ?? '').payload).toEqual({
      lane: 'telemetry',
      from: 4,
      to: 5,
      count: 2,
      reason: 'corrupt',
    });
    expect(queue.ledger().telemetry).toMatchObject({ accepted: 8, receipted: 3, dropped: 2, waiting: 3 });
    await queue.close();
    expect((await openTestQueue({ folder })).recovery).toBeUndefined();
  });
});
