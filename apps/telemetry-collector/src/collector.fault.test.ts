import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TransientError } from '@bowline/runtime/errors';
import { seededRandom, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
import { call } from './testing/call.ts';
import { startCollector } from './testing/running-collector.ts';
import { openTestGateway, TestStore, type TestGateway } from './testing/test-gateway.ts';

const KILLS = 6;
const JSON_TYPE = { 'content-type': 'application/json' };

let collector: TestProcess | undefined;
let gateway: TestGateway | undefined;

afterEach(async () => {
  await collector?.kill();
  await gateway?.close();
});

test('when the collector is killed again and again, and the gateway with it, nothing that was called durable is lost, and an event under a key is one message', async () => {
  const random = seededRandom();
  const folder = temporaryFolder();
  const socketPath = join(folder, 'in/s');
  const store = new TestStore();
  gateway = await openTestGateway(join(folder, 'hub'), { store });
  const start = async () => {
    collector = startCollector(folder, `--ingest.socket=${socketPath}`);
    await collector.output(/may hand in samples/);
  };
  await start();

  const durable = new Set<number>();
  const events = new Map<string, Set<unknown>>();
  const stopped = new AbortController();
  /** Sends until it is told that it is stored, as a careful program does. */
  const untilStored = async (path: string, headers: Record<string, string>, body: object) => {
    for (;;) {
      const sent = { path, headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) };
      const answered = await call({ socketPath }, sent).catch(() => undefined);
      if (answered?.status === 201) return answered;
      if (stopped.signal.aborted) return undefined;
      await waitFor(() => true);
    }
  };
  const sender = async (first: number) => {
    for (let number = first; !stopped.signal.aborted; number += 4) {
      const at = 1_750_000_000_000 + number;
      const sample = { series: 'kept', value: number, at };
      if ((await untilStored('/v1/samples?durable=1', {}, sample)) !== undefined) durable.add(number);
      const key = `event-${number}`;
      const event = await untilStored(
        '/v1/events',
        { 'idempotency-key': key },
        { kind: 'kept', data: { number } },
      );
      if (event !== undefined) events.set(key, (events.get(key) ?? new Set()).add(event.body['id']));
    }
  };
  const senders = [0, 1, 2, 3].map(sender);

  for (let kill = 0; kill < KILLS; kill += 1) {
    const goal = durable.size + random.integer(2, 12);
    await waitFor(() => durable.size >= goal, { what: `${goal} samples to be stored` });
    await collector?.kill('SIGKILL');
    if (random.next() < 0.5) {
      await gateway.close();
      gateway = await openTestGateway(join(folder, 'hub'), { store });
    }
    await start();
  }
  stopped.abort();
  await Promise.all(senders);

  const stored = new Set(store.samples.filter(({ series }) => series === 'kept').map(({ value }) => value));
  expect([...durable].filter((number) => !stored.has(number))).toEqual([]);
  expect([...events.values()].every((ids) => ids.size === 1)).toBe(true);
  const ids = new Map<unknown, Set<string>>();
  for (const [index, { data }] of store.events.entries()) {
    const number = data['number'];
    ids.set(number, (ids.get(number) ?? new Set()).add(store.eventIds[index] ?? ''));
  }
  expect([...ids.values()].filter((all) => all.size > 1)).toEqual([]);
  expect([...events.keys()].filter((key) => !ids.has(Number(key.slice('event-'.length))))).toEqual([]);
});

test.each([
  { moment: 'before the gateway has it', first: undefined, mostCopies: 1 },
  { moment: 'once the gateway has it and before it has said so', first: undefined, mostCopies: 2 },
  { moment: 'after the answer', first: 201, mostCopies: 2 },
])(
  'when the collector is killed $moment, a sample that is sent durably and again after that is there once',
  async ({ moment, first, mostCopies }) => {
    const folder = temporaryFolder();
    const socketPath = join(folder, 'in/s');
    const store = new TestStore();
    let killing: Promise<unknown> | undefined;
    const kill = () => (killing ??= collector?.kill('SIGKILL'));
    gateway = await openTestGateway(join(folder, 'hub'), {
      store,
      accept: () => {
        if (killing !== undefined || first !== undefined) return;
        void kill();
        // Refused, so nothing of it is stored.
        if (mostCopies === 1) throw new TransientError('busy', `killed ${moment}`);
      },
    });
    const start = async () => {
      const flags = [`--ingest.socket=${socketPath}`, '--history.reserveBytes=0'];
      collector = startCollector(folder, ...flags);
      await collector.output(/may hand in samples/);
      await waitFor(() => gateway?.peers().length === 1);
    };
    await start();
    const at = 1_750_000_000_000;
    const body = JSON.stringify({ series: 'kept', value: 7, at });
    const send = () => call({ socketPath }, { path: '/v1/samples?durable=1', headers: JSON_TYPE, body });
    expect((await send().catch(() => undefined))?.status).toBe(first);
    await kill();
    expect(store.samples).toHaveLength(mostCopies - 1);
    await start();
    // As a careful program does that was not answered: again, with the same moment.
    expect((await send()).status).toBe(201);
    // What comes twice has the same moment: the server has it once (protocol, section 3).
    expect(store.samples).toHaveLength(mostCopies);
    expect(new Set(store.samples.map((sample) => `${sample.at} ${String(sample.value)}`)).size).toBe(1);
    const { points } = await gateway.ask('localHistory', { series: 'kept', from: 0, to: 2 * at });
    expect(points).toEqual([{ at, value: 7 }]);
  },
);

test('when the gateway is away for long and the collector is killed, what waited for the gateway is not lost', async () => {
  const folder = temporaryFolder();
  const socketPath = join(folder, 'in/s');
  const store = new TestStore();
  const start = async () => {
    const flags = ['--telemetry.commitMs=1000', '--history.reserveBytes=0'];
    collector = startCollector(folder, `--ingest.socket=${socketPath}`, ...flags);
    await collector.output(/may hand in samples/);
  };
  await start();
  const at = 1_750_000_000_000;
  const body = JSON.stringify([1, 2, 3].map((value) => ({ series: 'early', value, at: at + value })));
  const sent = await call({ socketPath }, { path: '/v1/samples', headers: JSON_TYPE, body });
  expect(sent.status).toBe(202);
  const copy = join(folder, 'state/waiting.json');
  await waitFor(() => existsSync(copy), { what: 'a copy on the disk' });
  await collector?.kill('SIGKILL');
  gateway = await openTestGateway(join(folder, 'hub'), { store });
  await start();
  await waitFor(() => store.samples.length >= 3, { what: 'the samples' });
  expect(store.samples.map(({ value }) => value)).toEqual([1, 2, 3]);
  await waitFor(() => !existsSync(copy) && !existsSync(join(folder, 'state/left-over.json')));
});
