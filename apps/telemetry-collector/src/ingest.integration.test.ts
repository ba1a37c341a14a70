import { statSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { RejectedError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call, type Sent } from './testing/call.ts';
import { startCollector } from './testing/running-collector.ts';
import {
  openTestGateway,
  TestStore,
  type TestGateway,
  type TestGatewayOptions,
} from './testing/test-gateway.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let folder: string;
let socket: string;
let store: TestStore;
let gateway: TestGateway | undefined;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  socket = join(folder, 'in/ingest.sock');
  store = new TestStore();
  gateway = undefined;
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway?.close();
});

const openGateway = async (options: Partial<TestGatewayOptions> = {}) => {
  gateway = await openTestGateway(join(folder, 'hub'), { store, ...options });
};
async function start(...flags: string[]): Promise<TestProcess> {
  const child = startCollector(folder, `--ingest.socket=${socket}`, ...flags);
  children.push(child);
  await child.output(/may hand in samples/);
  if (gateway !== undefined) await waitFor(() => gateway?.peers().length);
  return child;
}
const send = (sent: Sent) => call({ socketPath: socket }, sent);
const samples = (body: unknown, more: Partial<Sent> = {}) =>
  send({ path: '/v1/samples', headers: JSON_TYPE, body: JSON.stringify(body), ...more });
const event = (body: unknown, headers = {}) =>
  send({ path: '/v1/events', headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) });

describe('the ingest socket', () => {
  test('when a program hands in samples, they are accepted and arrive', async () => {
    await openGateway();
    await start();
    const answered = await samples({ series: 'temperature', value: 21.5, unit: 'Cel' });
    expect([answered.status, answered.body]).toEqual([202, { accepted: 1, durable: false }]);
    const lines = '{"series":"door","value":"open"}\n{"series":"door","value":"shut"}\n';
    const many = await samples('', { headers: { 'content-type': 'application/x-ndjson' }, body: lines });
    expect(many.body).toEqual({ accepted: 2, durable: false });
    await waitFor(() => store.samples.length === 3);
    expect(store.samples.map(({ series, value, unit }) => [series, value, unit])).toEqual([
      ['temperature', 21.5, 'Cel'],
      ['door', 'open', undefined],
      ['door', 'shut', undefined],
    ]);
  });

  test('when values of a series come at once, none shares its moment with another; where they say one, it is told', async () => {
    await openGateway();
    const child = await start();
    await samples([1, 2, 3].map((value) => ({ series: 'a', value })));
    const at = 1_790_000_000_000;
    const same = [1, 2, 2, 3].map((value) => ({ series: 'b', at, value }));
    expect((await samples(same)).body).toEqual({ accepted: 4, durable: false, sameMoment: 3 });
    const durable = await samples(same.slice(3), { path: '/v1/samples?durable=1' });
    expect(durable.body).toEqual({ accepted: 1, durable: true, sameMoment: 1 });
    await waitFor(() => store.samples.length === 8);
    const moments = store.samples.filter(({ series }) => series === 'a').map((sample) => sample.at);
    expect(new Set(moments).size).toBe(3);
    expect(moments).toEqual(moments.toSorted());
    // It is told some seconds after the first one, whether the others have come by then or not.
    await waitFor(() => gateway?.notes()?.[0]?.count === 4, { what: 'all to be told' });
    expect(gateway?.notes()).toEqual([
      {
        code: 'same-moment',
        count: 4,
        detail: expect.stringMatching(/^series b has more than one value of 2026-/),
      },
    ]);
    expect(child.stdout().match(/more than one value/g)).toHaveLength(1);
  });

  test('when durability is asked for, the answer comes only when the gateway has stored it', async () => {
    await openGateway();
    await start();
    const answered = await samples([{ series: 'a', value: 1 }], { path: '/v1/samples?durable=1' });
    // Nothing to wait for: it is there.
    expect([answered.status, answered.body, store.samples.length]).toEqual([
      201,
      { accepted: 1, durable: true },
      1,
    ]);
  });

  test('when the gateway is away, durability is refused in time with Retry-After, and 202 still works', async () => {
    await start('--ingest.durableWithinMs=200');
    const refused = await samples([{ series: 'a', value: 1 }], { path: '/v1/samples?durable=1' });
    expect([refused.status, refused.body['code'], refused.headers['retry-after']]).toEqual([
      503,
      'not-durable',
      '5',
    ]);
    expect(refused.headers['content-type']).toBe('application/problem+json');
    expect((await samples({ series: 'b', value: 2 })).status).toBe(202);
    await openGateway();
    await waitFor(() => store.samples.some(({ series }) => series === 'b'));
  });

  test("when the gateway's disk is full, it says so, and to come again", async () => {
    await openGateway({
      accept: () => {
        throw new RejectedError('disk-full', 'the disk is full');
      },
    });
    await start();
    const refused = await samples([{ series: 'a', value: 1 }], { path: '/v1/samples?durable=1' });
    expect([refused.status, refused.body['code']]).toEqual([503, 'disk-full']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  });

  test.each<[string, Sent, number, string]>([
    ['is no JSON', { path: '/v1/samples', headers: JSON_TYPE, body: '{' }, 400, 'broken-json'],
    [
      'has a bad sample',
      { path: '/v1/samples', headers: JSON_TYPE, body: '{"series":"a b","value":1}' },
      400,
      'invalid',
    ],
    ['has no content type', { path: '/v1/samples', body: '{}' }, 415, 'unsupported-media-type'],
    [
      'misspells durable',
      { path: '/v1/samples?durable=yes', headers: JSON_TYPE, body: '{"series":"a","value":1}' },
      400,
      'invalid',
    ],
    ['names no path', { path: '//', headers: JSON_TYPE }, 400, 'invalid'],
    ['goes elsewhere', { path: '/v2/samples', headers: JSON_TYPE }, 404, 'not-found'],
    ['has another method', { path: '/v1/samples', method: 'GET' }, 405, 'method-not-allowed'],
    ['is too large', { path: '/v1/samples', headers: JSON_TYPE, body: ' '.repeat(3000) }, 413, 'too-large'],
    [
      'unpacks to too much',
      {
        path: '/v1/samples',
        headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
        body: gzipSync(' '.repeat(100_000)),
      },
      413,
      'too-large',
    ],
    [
      'is no gzip',
      { path: '/v1/samples', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: 'x' },
      400,
      'broken-json',
    ],
    ['is no event', { path: '/v1/events', headers: JSON_TYPE, body: '{}' }, 400, 'invalid'],
    [
      'is an event with a number that JSON cannot give back',
      { path: '/v1/events', headers: JSON_TYPE, body: '{"kind":"a","data":{"x":1e400}}' },
      400,
      'invalid',
    ],
  ])('when a request %s, the answer is a problem document that says so', async (_, sent, status, code) => {
    await openGateway();
    await start('--ingest.bodyBytes=2048');
    const answered = await send(sent);
    expect(answered.headers['content-type']).toBe('application/problem+json');
    expect(answered.body).toMatchObject({ status, code, title: expect.any(String) as string });
    expect(answered.status).toBe(status);
    expect((await samples({ series: 'a', value: 1 })).status).toBe(202);
  });

  test('when it is packed, it is unpacked', async () => {
    await openGateway();
    await start();
    const body = gzipSync('{"series":"packed","value":1}');
    expect((await samples('', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body })).status).toBe(
      202,
    );
    await waitFor(() => store.samples.some(({ series }) => series === 'packed'));
  });

  test('when too many come, 429 says when to come again, and nothing of it was taken', async () => {
    await openGateway();
    await start('--ingest.samplesPerSecond=1', '--ingest.burstSamples=200');
    const all = Array.from({ length: 200 }, (_, value) => value);
    expect((await samples(all.map((value) => ({ series: 'a', value })))).status).toBe(202);
    // As many as would be let in again after minutes, however slow this machine is.
    const refused = await samples(all.map((value) => ({ series: 'a', value: -value })));
    expect([refused.status, refused.body['code']]).toEqual([429, 'too-fast']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(100);
    await waitFor(() => store.samples.length === all.length);
    expect(store.samples.map(({ value }) => value)).toEqual(all);
  });

  test('when it is not HTTP at all, it is told so and the others go on', async () => {
    await openGateway();
    await start();
    const answered = await new Promise<string>((resolve, reject) => {
      let text = '';
      const raw = connect(socket, () => raw.write('temperature=21.5\n\n'));
      raw.on('data', (chunk: Buffer) => (text += chunk.toString()));
      raw.on('error', reject);
      raw.on('close', () => resolve(text));
    });
    expect(answered).toMatch(/^HTTP\/1\.1 400 /);
    expect((await samples({ series: 'a', value: 1 })).status).toBe(202);
  });

  test('when an event is handed in, it is durable before the answer', async () => {
    await openGateway();
    await start();
    const answered = await event({ kind: 'door.opened', severity: 'warning', data: { side: 'left' } });
    expect(answered.status).toBe(201);
    expect(store.events).toMatchObject([
      { kind: 'door.opened', severity: 'warning', data: { side: 'left' } },
    ]);
    expect(store.messageIds).toEqual([answered.body['id']]);
  });

  test('when an event is repeated under its key, also at once and after a kill, there is one', async () => {
    await openGateway();
    const first = await start();
    const again = () => event({ kind: 'a' }, { 'idempotency-key': 'k-1' });
    const answers = await Promise.all([again(), again(), again()]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    await first.kill('SIGKILL');
    await start();
    const last = await again();
    expect([last.status, last.body['repeated']]).toEqual([201, true]);
    expect(new Set([...answers, last].map(({ body }) => body['id'])).size).toBe(1);
    expect(store.events).toHaveLength(1);
    const other = await event({ kind: 'b' }, { 'idempotency-key': 'k-1' });
    expect([other.status, other.body['code']]).toEqual([422, 'key-reused']);
  });

  test('when events come too fast, 429 says when to come again, and a repeat of one that is stored is answered all the same', async () => {
    await openGateway();
    await start('--ingest.eventsPerSecond=1', '--ingest.burstEvents=2');
    const key = { 'idempotency-key': 'k-1' };
    const taken = [await event({ kind: 'a' }, key), await event({ kind: 'b' })];
    expect(taken.map(({ status }) => status)).toEqual([201, 201]);
    const answers = await Promise.all(Array.from({ length: 30 }, () => event({ kind: 'c' })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { body, headers } of refused) {
      expect(body['code']).toBe('too-fast');
      expect(headers['retry-after']).toMatch(/^[12]$/);
    }
    expect(store.events).toHaveLength(2 + answers.length - refused.length);
    expect((await event({ kind: 'a' }, key)).body).toMatchObject({ repeated: true });
    // A key under which nothing was taken is free for what comes again.
    const other = { 'idempotency-key': 'k-2' };
    await waitFor(async () => (await event({ kind: 'd' }, other)).status === 201);
    expect(store.events.filter(({ kind }) => kind === 'd')).toHaveLength(1);
  });

  test('when it was killed before the answer, the repeat is the same message', async () => {
    await openGateway({ accept: () => void children[0]?.kill('SIGKILL') });
    await start('--ingest.durableWithinMs=14000');
    await expect(event({ kind: 'a' }, { 'idempotency-key': 'k-1' })).rejects.toThrow(
      /socket hang up|ECONNRESET/,
    );
    await gateway?.close();
    await openGateway();
    await start();
    const answered = await event({ kind: 'a' }, { 'idempotency-key': 'k-1' });
    expect(answered.status).toBe(201);
    // The hub may have stored the first one: then under the same id.
    expect(new Set(store.messageIds)).toEqual(new Set([answered.body['id']]));
  });

  test('when the folder may be written by others, the app does not listen there and says so', async () => {
    mkdirSync(join(folder, 'in'));
    chmodSync(join(folder, 'in'), 0o777);
    const child = startCollector(folder, `--ingest.socket=${socket}`);
    children.push(child);
    await child.output(/socket-folder-unsafe/);
  });

  test('when it starts after a kill, the stale socket is no obstacle, and its mode is as configured', async () => {
    const first = await start('--ingest.socketMode=600');
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    await first.kill('SIGKILL');
    await start();
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect((await samples({ series: 'a', value: 1 })).status).toBe(202);
  });

  test('when it is asked to stop, requests that wait for the disk are answered, not cut', async () => {
    const child = await start();
    const waiting = event({ kind: 'a' });
    await waitFor(async () => (await samples({ series: 'a', value: 1 })).status === 202);
    const ended = child.kill('SIGTERM');
    expect((await waiting).status).toBe(503);
    expect((await ended).code).toBe(0);
  });
});

test('when the state of the keys is damaged, events are taken all the same', async () => {
  mkdirSync(join(folder, 'state'), { recursive: true });
  writeFileSync(join(folder, 'state/event-keys.sqlite'), 'x'.repeat(9000));
  await openGateway();
  await start();
  expect((await event({ kind: 'a' }, { 'idempotency-key': 'k' })).status).toBe(201);
});
