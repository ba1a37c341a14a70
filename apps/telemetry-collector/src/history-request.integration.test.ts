import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { History } from '@bowline/messages';
import { needs, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call } from './testing/call.ts';
import { writeJournal } from './testing/journal.ts';
import { startCollector } from './testing/running-collector.ts';
import {
  openTestGateway,
  TestStore,
  type TestGateway,
  type TestGatewayOptions,
} from './testing/test-gateway.ts';

const AT = 1_790_000_000_000;
const COUNT = 9000;

let folder: string;
let store: TestStore;
let gateway: TestGateway;
let children: TestProcess[];
let ids = 0;
const newId = () => `01900000-0000-7000-8000-${String((ids += 1)).padStart(12, '0')}`;

beforeEach(() => {
  folder = temporaryFolder();
  store = new TestStore();
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway.close();
});

const open = async (options: Partial<TestGatewayOptions> = {}) => {
  gateway = await openTestGateway(join(folder, 'hub'), { store, ...options });
};
async function start(...flags: string[]): Promise<void> {
  const socketPath = join(folder, 'in/ingest.sock');
  const child = startCollector(
    folder,
    `--ingest.socket=${socketPath}`,
    `--logDir=${join(folder, 'logs')}`,
    '--history.reserveBytes=0',
    ...flags,
  );
  children.push(child);
  await child.output(/may hand in samples/);
  await waitFor(() => gateway.peers().length > 0);
}
/** Noise: so that the answer needs several parts. */
async function fill(): Promise<void> {
  const samples = Array.from({ length: COUNT }, (_, index) => ({
    series: 'level',
    at: AT + 1000 * index,
    value: Math.sin(index * index),
    unit: 'm',
  }));
  const socketPath = join(folder, 'in/ingest.sock');
  const headers = { 'content-type': 'application/json' };
  const sent = await call({ socketPath }, { path: '/v1/samples', headers, body: JSON.stringify(samples) });
  expect(sent.status).toBe(202);
}
const order = (payload: object, more: { orderId?: string; state?: 'started'; attempt?: number } = {}) => {
  const orderId = more.orderId ?? newId();
  const handed = {
    orderId,
    type: 'historyRequest' as const,
    payload: { kind: 'telemetry', from: AT, to: AT + 86_400_000, ...payload },
    state: more.state ?? ('received' as const),
    attempt: more.attempt ?? 0,
    receivedAt: AT,
  };
  return gateway.ask('order', handed).then(() => orderId);
};
const reports = (orderId: string) => store.reports.filter((report) => report.orderId === orderId);
const ended = (orderId: string) =>
  waitFor(() => reports(orderId).find(({ status }) => status !== 'started'), {
    what: 'the end of the order',
  });
const itemsOf = ({ encoding, data }: History): unknown[] =>
  (encoding === 'json'
    ? data
    : JSON.parse(gunzipSync(Buffer.from(data as string, 'base64')).toString())) as unknown[];
const pointsOf = (orderId: string): unknown[] => {
  // Of a part that came twice the later one counts.
  const parts = new Map(
    store.parts.filter((part) => part.orderId === orderId).map((part) => [part.part, part]),
  );
  return [...parts.values()]
    .toSorted((a, b) => a.part - b.part)
    .flatMap((part) => (itemsOf(part) as { points: unknown[] }[]).flatMap(({ points }) => points));
};

describe('historyRequest', () => {
  test('when telemetry is asked for, it comes in numbered parts, and the order succeeds with the last', async () => {
    await open();
    await start();
    await fill();
    const orderId = await order({ series: ['level', 'nothing'] });
    expect(await ended(orderId)).toMatchObject({ status: 'succeeded', result: { items: COUNT } });
    expect(reports(orderId).map(({ status, attempt }) => [status, attempt])).toEqual([
      ['started', 1],
      ['succeeded', undefined],
    ]);
    expect(store.parts.map(({ part, last }) => [part, last])).toEqual(
      store.parts.map((_, index) => [index, index === store.parts.length - 1]),
    );
    expect(store.parts.length).toBeGreaterThan(2);
    expect(pointsOf(orderId)).toEqual(
      Array.from({ length: COUNT }, (_, index) => [AT + 1000 * index, Math.sin(index * index)]),
    );
    expect(gateway.progress.some(({ data }) => data?.['items'] === COUNT)).toBe(true);
  });

  test('when a resolution is asked for, points are joined; of what there is nothing, one empty part comes', async () => {
    await open();
    await start();
    await fill();
    const hours = await order({ series: ['level'], resolutionMs: 3_600_000 });
    await ended(hours);
    expect(pointsOf(hours).reduce((sum: number, point) => sum + ((point as number[])[4] ?? 0), 0)).toBe(
      COUNT,
    );
    const nothing = await order({ from: 1, to: 2 });
    expect(await ended(nothing)).toMatchObject({ status: 'succeeded', result: { parts: 1, items: 0 } });
  });

  test('when the answer would be too large, the order is rejected with the estimate', async () => {
    await open();
    await start();
    await fill();
    const orderId = await order({ maxBytes: 10_000 });
    expect(await ended(orderId)).toMatchObject({ status: 'rejected', error: { code: 'history-too-large' } });
    expect(reports(orderId)[0]?.error?.message).toMatch(
      /about \d+ bytes \(\d+ items\), more than 10000 bytes: .*resolutionMs/,
    );
    expect(store.parts).toEqual([]);
  });

  test('when it is killed between two parts, the answer goes on, and is whole', async () => {
    let waiting = 0;
    let parts = 0;
    await open({
      waiting: () => waiting,
      accept: () => {
        parts = store.parts.length;
        if (parts >= 1) waiting = 1_000_000;
      },
    });
    await start('--history.commitMs=0');
    await fill();
    const orderId = await order({ series: ['level'] });
    await waitFor(() => store.parts.length >= 2 || waiting > 0, { what: 'the first parts' });
    await children[0]?.kill();
    const before = store.parts.length;
    waiting = 0;
    await start();
    await order({ series: ['level'] }, { orderId, state: 'started', attempt: 1 });
    waiting = 0;
    await waitFor(() => {
      waiting = 0;
      return reports(orderId).some(({ status }) => status === 'succeeded');
    });
    expect(before).toBeGreaterThan(0);
    expect(reports(orderId).findLast(({ status }) => status === 'started')?.attempt).toBe(2);
    expect(pointsOf(orderId)).toHaveLength(COUNT);
  });

  test('when it is cancelled while it is answered, it ends so', async () => {
    await open({ waiting: () => 1_000_000 });
    await start();
    await fill();
    const orderId = await order({});
    await waitFor(() => reports(orderId).length > 0);
    expect(await gateway.ask('cancelOrder', { orderId })).toEqual({ outcome: 'stopping' });
    expect(await ended(orderId)).toMatchObject({ status: 'cancelled' });
    await waitFor(async () => (await gateway.ask('cancelOrder', { orderId })).outcome === 'unknown-order');
  });

  test('when a log is asked for, its lines come; what this device does not hand out is rejected', async () => {
    mkdirSync(join(folder, 'logs'));
    const time = new Date(AT).toISOString();
    writeFileSync(join(folder, 'logs', 'ws-gateway.log'), `${JSON.stringify({ time, message: 'online' })}\n`);
    await open();
    await start();
    const orderId = await order({ kind: 'logs', app: 'ws-gateway' });
    await ended(orderId);
    expect(store.parts.flatMap(itemsOf)).toEqual([{ time, message: 'online' }]);
    const none = await order({ kind: 'logs', app: 'nothing' });
    expect(await ended(none)).toMatchObject({ status: 'rejected', error: { code: 'no-such-log' } });
    await children[0]?.kill();
    await start('--history.journalCommand=[]');
    const journal = await order({ kind: 'journal' });
    expect(await ended(journal)).toMatchObject({ status: 'rejected', error: { code: 'unsupported' } });
  });
});

describe.runIf(needs('systemd-journal-remote'))('historyRequest of the journal', () => {
  const ENTRIES = 3000;
  const messageOf = (index: number) => `${index} ${createHash('sha512').update(`${index}`).digest('base64')}`;
  const journal = () =>
    `--history.journalCommand=${JSON.stringify(
      writeJournal(
        join(folder, 'journal'),
        Array.from({ length: ENTRIES }, (_, index) => ({
          at: AT + 10 * index,
          fields: { MESSAGE: messageOf(index), SYSLOG_IDENTIFIER: index % 2 === 0 ? 'kiosk' : 'other' },
        })),
      ),
    )}`;
  const messagesOf = (orderId: string) => {
    const parts = new Map(
      store.parts.filter((part) => part.orderId === orderId).map((part) => [part.part, part]),
    );
    return [...parts.values()]
      .toSorted((a, b) => a.part - b.part)
      .flatMap((part) => (itemsOf(part) as { message: string }[]).map(({ message }) => message));
  };

  test('when it is asked for, or what one app has logged, it comes in parts; too much is rejected with the estimate', async () => {
    await open();
    await start(journal());
    const orderId = await order({ kind: 'journal' });
    expect(await ended(orderId)).toMatchObject({ status: 'succeeded', result: { items: ENTRIES } });
    expect(store.parts.length).toBeGreaterThan(2);
    expect(messagesOf(orderId)).toEqual(Array.from({ length: ENTRIES }, (_, index) => messageOf(index)));
    const ofApp = await order({ kind: 'journal', app: 'kiosk', from: AT + 100, to: AT + 200 });
    await ended(ofApp);
    expect(messagesOf(ofApp)).toEqual([10, 12, 14, 16, 18].map(messageOf));
    const tooMuch = await order({ kind: 'journal', maxBytes: 10_000 });
    expect(await ended(tooMuch)).toMatchObject({
      status: 'rejected',
      error: { code: 'history-too-large', message: expect.stringContaining(`(${ENTRIES} items)`) },
    });
  });

  test('when it is killed between two parts, the answer goes on behind the last entry, and is whole', async () => {
    const state = { waiting: 0 };
    await open({
      waiting: () => state.waiting,
      accept: () => {
        if (store.parts.length >= 1) state.waiting = 1_000_000;
      },
    });
    const flag = journal();
    await start(flag);
    const orderId = await order({ kind: 'journal' });
    await waitFor(() => store.parts.length >= 2 || state.waiting > 0, { what: 'the first parts' });
    await children[0]?.kill();
    const before = store.parts.length;
    await start(flag);
    await order({ kind: 'journal' }, { orderId, state: 'started', attempt: 1 });
    await waitFor(() => {
      state.waiting = 0;
      return reports(orderId).some(({ status }) => status === 'succeeded');
    });
    const numbers = store.parts.map(({ part }) => part);
    expect(before).toBeGreaterThan(0);
    // Not from the beginning: at most the part that was under way comes twice.
    expect(numbers.length - new Set(numbers).size).toBeLessThanOrEqual(1);
    expect(messagesOf(orderId)).toEqual(Array.from({ length: ENTRIES }, (_, index) => messageOf(index)));
  });
});
