import { join } from 'node:path';
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
