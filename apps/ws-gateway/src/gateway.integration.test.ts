import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { verifyHostKeyProof } from '@bowline/identity';
import type { HubClient } from '@bowline/ipc';
import { waitFor } from '@bowline/testing';
import { FakeCloud, type UplinkRecord } from '@bowline/testing/fake-cloud';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayUnderTest } from './test-kit/gateway.ts';

const clients: HubClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function setUp(change: Record<string, unknown> = {}) {
  const cloud = await FakeCloud.start();
  const gateway = new GatewayUnderTest(cloud, change);
  await gateway.start().output(/"message":"online"/);
  return { cloud, gateway };
}

/** The executor's place on the hub, taken by the test: it takes note of orders and does as it is told. */
async function executor(gateway: GatewayUnderTest) {
  const orders: { orderId: string; state: string; attempt: number }[] = [];
  const client = await gateway.app('command-executor', ['command'], (unregistered) => {
    unregistered.handle('order', (order) => {
      orders.push(order);
      return {};
    });
    unregistered.handle('cancelOrder', () => ({ outcome: 'cancelled' }));
  });
  clients.push(client);
  const report = (orderId: string, status: 'started' | 'succeeded' | 'failed', result?: unknown) =>
    client.request('reportOrder', {
      orderId,
      status,
      at: Date.now(),
      ...(result === undefined ? {} : { result }),
    });
  return { client, orders, report };
}

const sample = (value: number) => ({
  id: uuidv7(),
  type: 'telemetry' as const,
  sentAt: Date.now(),
  payload: { samples: [{ series: 'test.value', at: Date.now(), value }] },
});
const values = (records: UplinkRecord[]) =>
  records.flatMap(
    ({ payload }) => (payload['samples'] as { value: number }[] | undefined)?.map(({ value }) => value) ?? [],
  );
const statuses = (cloud: FakeCloud, orderId: string) =>
  cloud.stored.flatMap(({ type, payload }) =>
    type === 'ack' && payload['orderId'] === orderId ? [payload['status']] : [],
  );

describe('the gateway', () => {
  it('when it starts with a token, it enrols, says hello, erases the token and comes back without it', async () => {
    const { cloud, gateway } = await setUp();
    const link = await cloud.link();
    expect(link.hello).toMatchObject({ deviceId: 'device-1', received: 0, limits: { inflightMessages: 16 } });
    expect(existsSync(join(gateway.folder, 'token'))).toBe(false);
    const epoch = link.hello?.['epoch'];

    await gateway.kill();
    gateway.start();
    const again = await cloud.link(({ hello }, index) => index > 0 && hello !== undefined);
    expect(again.hello).toMatchObject({ epoch, serverEpoch: cloud.serverEpoch });
  });

  it('when the executor has told its idempotent commands, hello names them, even when the store was lost and the executor is away', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('command-executor', ['command'], undefined, ['ping', 'again']);
    app.close();
    await gateway.kill();
    rmSync(join(gateway.folder, 'state/store'), { recursive: true });
    gateway.start();
    const link = await cloud.link(({ hello }, index) => index > 0 && hello !== undefined);
    expect(link.hello?.['capabilities']).toEqual(['idempotent:again', 'idempotent:ping', 'trust:1']);
  });

  it('when the idempotent commands change while the executor is there, the next hello names the new ones', async () => {
    const { cloud, gateway } = await setUp();
    const commands = ['ping'];
    const app = await gateway.app('command-executor', ['command'], undefined, commands);
    clients.push(app);
    commands.push('late'); // as it says when it registers anew, which may be before the next hello
    await app.request('idempotent', { commands });
    await gateway.kill();
    gateway.start();
    const link = await cloud.link(({ hello }, index) => index > 0 && hello !== undefined);
    expect(link.hello?.['capabilities']).toEqual(['idempotent:late', 'idempotent:ping', 'trust:1']);
  });

  it('when an app tells progress that is too large or too deep for the link, that is dropped and counted, and link and app stay', async () => {
    const { cloud, gateway } = await setUp();
    const { client, orders, report } = await executor(gateway);
    const cli = await gateway.app('cli');
    clients.push(cli);
    const dropped = (counter: string) =>
      waitFor(async () => ((await cli.request('status', {})).counters[counter] ?? 0) === 1, {
        what: counter,
      });
    const nested = (levels: number): Record<string, unknown> =>
      levels === 0 ? {} : { a: nested(levels - 1) };
    const link = await cloud.link(({ hello }) => hello !== undefined);
    const orderId = link.order('command', { name: 'ping' });
    await waitFor(() => orders.length === 1, { what: 'the order' });
    await report(orderId, 'started');
    client.notify('progress', { orderId, data: { text: 'x'.repeat(80_000) } });
    await dropped('uplink.live-too-large');
    client.notify('progress', { orderId, data: nested(30) });
    await dropped('progress.dropped');
    expect(() => client.notify('progress', { orderId, data: nested(40) })).toThrow('nests deeper than 38');
    client.notify('progress', { orderId, percent: 5 });
    const told = await waitFor(
      () => link.frames.filter(({ payload }) => payload['status'] === 'progress')[0],
      { what: 'progress that fits' },
    );
    expect(told.payload).toMatchObject({ percent: 5 });
    expect([cloud.links.length, client.connected]).toEqual([1, true]);
  });

  it('when the executor changes a log level, the gateway or the named app does it, and nobody else may ask', async () => {
    const { gateway } = await setUp();
    const executor = await gateway.app('command-executor', ['command']);
    const updater = await gateway.app('ota-updater');
    clients.push(executor, updater);
    const previous = (app: 'ws-gateway' | 'ota-updater', level: 'debug' | 'warn') =>
      executor.request('setLogLevel', { app, level });
    expect(await previous('ws-gateway', 'warn')).toEqual({ previous: 'debug' });
    expect(await previous('ws-gateway', 'debug')).toEqual({ previous: 'warn' });
    expect(await previous('ota-updater', 'debug')).toEqual({ previous: 'error' });
    expect(await previous('ota-updater', 'warn')).toEqual({ previous: 'debug' });
    for (const [name, body] of [
      ['setLogLevel', { app: 'ws-gateway', level: 'warn' }],
      ['idempotent', { commands: [] }],
    ] as const)
      await expect(updater.request(name, body as never)).rejects.toMatchObject({ code: 'executor-only' });
  });

  it('when the server answers no heartbeat though it talks, the device comes back on a new link and says why', async () => {
    const { cloud, gateway } = await setUp({ link: { allowInsecure: true, missedHeartbeats: 1 } });
    cloud.behaviour.heartbeat = false;
    await gateway.process?.output(/"code":"heartbeats-missed"/);
    cloud.behaviour.heartbeat = true;
    await cloud.link((_, index) => index === 1);
    const cli = await gateway.app('cli');
    clients.push(cli);
    expect((await cli.request('status', {})).counters).toMatchObject({ 'link.heartbeats-missed': 1 });
  });

  it('when an order comes, its app gets it, each step is acknowledged in order and the order is receipted', async () => {
    const { cloud, gateway } = await setUp();
    const { orders, report } = await executor(gateway);
    const link = await cloud.link();
    const orderId = link.order('command', { name: 'ping' });
    await waitFor(() => orders.some((order) => order.orderId === orderId));
    expect(await report(orderId, 'started')).toEqual({ attempt: 1 });
    await report(orderId, 'succeeded', { pong: true });
    const ended = await cloud.ack(orderId, 'succeeded');
    expect(ended.payload).toMatchObject({ attempt: 1, result: { pong: true } });
    expect(statuses(cloud, orderId)).toEqual(['received', 'started', 'succeeded']);
    await waitFor(() => link.frames.some(({ type, payload }) => type === 'receipt' && 'lanes' in payload));
  });

  it('when its app is away, an order waits and is handed over when the app comes', async () => {
    const { cloud, gateway } = await setUp();
    const orderId = (await cloud.link()).order('command', { name: 'ping' });
    await cloud.ack(orderId, 'received');
    const { orders } = await executor(gateway);
    await waitFor(() => orders.some((order) => order.orderId === orderId && order.state === 'received'));
  });

  it('when the gateway is killed after started, the order is handed over again as started, and the apps go on', async () => {
    const { cloud, gateway } = await setUp();
    const { orders, report, client } = await executor(gateway);
    const orderId = (await cloud.link()).order('command', { name: 'ping' });
    await waitFor(() => orders.length === 1);
    await report(orderId, 'started');
    await gateway.kill();
    gateway.start();
    await waitFor(() => orders.some(({ state, attempt }) => state === 'started' && attempt === 1));
    await waitFor(() => client.connected);
    await report(orderId, 'succeeded');
    await cloud.ack(orderId, 'succeeded');
    expect(statuses(cloud, orderId)).toEqual(['received', 'started', 'succeeded']);
  });

  it('when an order comes twice, or again under a new seq, it runs once and its state is reported again', async () => {
    const { cloud, gateway } = await setUp();
    const { orders, report } = await executor(gateway);
    const link = await cloud.link();
    const orderId = link.order('command', { name: 'ping' }, { seq: 1 });
    await waitFor(() => orders.length === 1);
    await report(orderId, 'started');
    await report(orderId, 'succeeded');
    await cloud.ack(orderId, 'succeeded');
    link.order('command', { name: 'ping' }, { orderId, seq: 1 });
    link.order('command', { name: 'ping' }, { orderId, seq: 2 });
    await waitFor(() => statuses(cloud, orderId).filter((status) => status === 'succeeded').length === 2);
    expect(orders).toHaveLength(1);
  });

  it('when an order is malformed, unknown, expired or for nobody, it is refused with the rule and the link stays', async () => {
    const { cloud, gateway } = await setUp();
    const link = await cloud.link();
    const invalid = link.order('command', { name: 7 });
    const unknown = link.order('selfDestruct', {});
    const expired = link.order('command', { name: 'ping', expiresAt: 1 });
    clients.push(await gateway.app('telemetry-collector'));
    const history = link.order('historyRequest', { kind: 'telemetry', from: 1, to: 2 });
    expect((await cloud.ack(invalid, 'rejected')).payload).toMatchObject({ error: { code: 'invalid' } });
    expect((await cloud.ack(unknown, 'rejected')).payload).toMatchObject({ error: { code: 'unsupported' } });
    await cloud.ack(expired, 'expired');
    expect((await cloud.ack(history, 'rejected')).payload).toMatchObject({ error: { code: 'unsupported' } });
    expect(cloud.links).toHaveLength(1);
  });

  it('when the server sends malformed or oversized frames, they are refused and counted and the link stays', async () => {
    const { cloud, gateway } = await setUp();
    const cli = await gateway.app('cli');
    clients.push(cli);
    const link = await cloud.link();
    link.send({ type: 'nonsense', id: uuidv7(), sentAt: 1, payload: {} });
    link.send({ type: 'receipt', id: uuidv7(), sentAt: 1, payload: { lanes: { results: 'many' } } });
    link.send({ type: 'nonsense', id: uuidv7(), sentAt: 1, payload: { filler: 'x'.repeat(300_000) } });
    await waitFor(() => link.frames.filter(({ type }) => type === 'reject').length === 3);
    const { counters, link: state } = await cli.request('status', {});
    expect(counters).toMatchObject({
      'downlink.refused.unsupported': 1,
      'downlink.refused.invalid': 1,
      'downlink.refused.too-large': 1,
    });
    expect(state.state).toBe('online');
    expect(cloud.links).toHaveLength(1);
  });

  it('when the server breaks the framing, the link is closed with the code of the protocol and comes back', async () => {
    const { cloud } = await setUp();
    const first = await cloud.link();
    first.send('{"broken');
    await waitFor(() => first.closeCode === 1007);
    const second = await cloud.link((_, index) => index === 1);
    second.socket.send(Buffer.from('binary'));
    await waitFor(() => second.closeCode === 1003);
    await cloud.link((_, index) => index === 2);
  });

  it('when the server never welcomes, the device closes 4408 and tries again', async () => {
    const { cloud } = await setUp();
    cloud.behaviour.welcome = false;
    cloud.cut();
    const link = await cloud.link((candidate, index) => index > 0 && candidate.hello !== undefined);
    await waitFor(() => link.closeCode === 4408);
    cloud.behaviour.welcome = true;
    await cloud.link(({ frames }, index) => index > 1 && frames.length > 0);
  });

  it('when the clock of the server was put right, the device is refused once, signs with the time that it was told and is in', async () => {
    const { cloud, gateway } = await setUp();
    cloud.behaviour.aheadMs = 3_600_000;
    cloud.cut();
    await cloud.link(({ hello }, index) => index === 1 && hello !== undefined);
    const refusals = gateway.process?.stdout().match(/"code":"bad-token"/g);
    expect(refusals).toHaveLength(1);
  });
});

describe('the link', () => {
  it('when its server has moved, the address of the configuration wins over the one told at enrolment', async () => {
    const cloud = await FakeCloud.start();
    const url = `${cloud.origin.replace('http://127.0.0.1', 'ws://localhost')}/v1/devices/device-1/link`;
    const gateway = new GatewayUnderTest(cloud, { link: { allowInsecure: true, url } });
    await gateway.start().output(/"message":"online"/);
    const cli = await gateway.app('cli');
    clients.push(cli);
    expect((await cli.request('status', {})).link.server).toBe(url);
  });

  it('when the ssh-broker asks, the device key vouches for a host key; nobody else may ask, and for nothing else', async () => {
    const { gateway } = await setUp();
    const [broker, cli] = [await gateway.app('ssh-broker'), await gateway.app('cli')];
    clients.push(broker, cli);
    const wanted = { sessionId: 's1', hostKeySha256: 'A'.repeat(43) };
    const { proof } = await broker.request('proveHostKey', wanted);
    const { publicKey: deviceKey } = await cli.request('identity', {});
    await verifyHostKeyProof(proof, { deviceKey, ...wanted });
    await expect(verifyHostKeyProof(proof, { deviceKey, ...wanted, sessionId: 's2' })).rejects.toMatchObject({
      code: 'bad-host-key-proof',
    });
    await expect(cli.request('proveHostKey', wanted)).rejects.toMatchObject({ code: 'ssh-broker-only' });
  });

  it('when nobody listens, the failed attempt names the stage', async () => {
    const cloud = await FakeCloud.start();
    const gateway = new GatewayUnderTest(cloud, {
      link: { allowInsecure: true, url: 'ws://127.0.0.1:1/link' },
    });
    await gateway.start().output(/"stage":"tcp","code":"econnrefused"/);
  });

  it('when attempts fail, each is logged with its stage, and the log outlives a kill', async () => {
    const { cloud, gateway } = await setUp();
    cloud.behaviour.refuseWith = { status: 503 };
    cloud.cut();
    await gateway.process?.output(/"code":"http-503"/);
    await gateway.kill();
    cloud.behaviour.refuseWith = undefined;
    await gateway.start().output(/"message":"online"/);
    const cli = await gateway.app('cli');
    clients.push(cli);
    const { attempts } = await cli.request('linkLog', {});
    expect(attempts.map(({ stage, code }) => `${stage} ${code}`)).toEqual(
      expect.arrayContaining(['online closed-1006', 'upgrade http-503']),
    );
  });

  it.each(['close', 'unnamed-reject'] as const)(
    'when a message makes the server answer by %s again and again, it alone is set aside and the rest gets through',
    async (how) => {
      const { cloud, gateway } = await setUp();
      const app = await gateway.app('telemetry-collector');
      clients.push(app);
      cloud.behaviour.chokesBy = how;
      cloud.behaviour.chokesOn = '"value":666';
      await app.enqueue([sample(1), sample(666), sample(2)]);
      await waitFor(() => values(cloud.stored).includes(2));
      expect(values(cloud.stored)).toEqual([1, 2]);
      await waitFor(() =>
        cloud.stored.some(({ type, payload }) => type === 'gap' && payload['reason'] === 'corrupt'),
      );
      const cli = await gateway.app('cli');
      clients.push(cli);
      expect((await cli.request('status', {})).queue.deadLetters).toBe(1);

      const { letters } = await cli.request('deadLetters', {});
      expect(letters).toMatchObject([{ type: 'telemetry', code: 'corrupt' }]);
      const number = letters[0]?.number ?? -1;
      const { message } = await cli.request('deadLetter', { number });
      expect(message).toMatchObject({ type: 'telemetry', payload: { samples: [{ value: 666 }] } });
      await expect(app.request('purgeDeadLetters', { numbers: [number] })).rejects.toMatchObject({
        code: 'cli-only',
      });
      cloud.behaviour.chokesOn = undefined;
      expect(await cli.request('resendDeadLetters', { numbers: [number, 99] })).toEqual({
        numbers: [number],
      });
      await waitFor(() => values(cloud.stored).includes(666));
      expect(await cli.request('deadLetters', {})).toEqual({ letters: [] });
      await expect(cli.request('deadLetter', { number })).rejects.toMatchObject({
        code: 'unknown-dead-letter',
      });
    },
  );

  it('when a dead letter is purged, it is forgotten', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    const cli = await gateway.app('cli');
    clients.push(app, cli);
    cloud.behaviour.chokesOn = '"value":666';
    await app.enqueue([sample(666)]);
    await waitFor(async () => (await cli.request('deadLetters', {})).letters.length === 1);
    const [letter] = (await cli.request('deadLetters', {})).letters;
    const numbers = [letter?.number ?? -1];
    expect(await cli.request('purgeDeadLetters', { numbers })).toEqual({ numbers });
    expect(await cli.request('deadLetters', {})).toEqual({ letters: [] });
    await app.enqueue([sample(1)]);
    await waitFor(() => values(cloud.stored).includes(1));
    expect(values(cloud.stored)).not.toContain(666);
  });

  it('when the server freezes, the device notices the silence and comes back on a new link', async () => {
    const { cloud } = await setUp({
      link: { allowInsecure: true, backoffBaseMs: 20, backoffCapMs: 50, pingAfterMs: 150, deadAfterMs: 400 },
    });
    const frozen = await cloud.link();
    frozen.socket.pause(); // reads nothing more: no pong either
    await cloud.link((_, index) => index === 1);
  });
});

describe('the store', () => {
  it('when its file was damaged while it was off, the gateway comes back with what can be read and tells the cloud', async () => {
    const { cloud, gateway } = await setUp();
    await gateway.kill();
    const file = join(gateway.folder, 'state/store/store.mdb');
    const handle = openSync(file, 'r+');
    writeSync(handle, randomBytes(12_288), 0, 12_288, 0);
    closeSync(handle);
    await gateway.start().output(/"message":"online"/);
    await waitFor(() => cloud.stored.some(({ payload }) => payload['kind'] === 'store-recovered'));
  });
});

describe('telemetry through the gateway', () => {
  it('when samples are enqueued online, they go live in order and are gone once receipted', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    clients.push(app);
    for (let value = 0; value < 50; value += 1) await app.enqueue([sample(value)]);
    await waitFor(() => values(cloud.stored).length === 50);
    expect(values(cloud.stored)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(new Set(cloud.stored.filter(({ type }) => type === 'telemetry').map(({ lane }) => lane))).toEqual(
      new Set(['telemetry']),
    );
    const cli = await gateway.app('cli');
    clients.push(cli);
    await waitFor(async () => (await cli.request('status', {})).queue.lanes['telemetry']?.messages === 0);
    expect((await cli.request('status', {})).queue.lanes['telemetry']?.ledger).toMatchObject({
      accepted: 50,
      receipted: 50,
      waiting: 0,
    });
  });

  it('when the cloud is away, samples wait on disk through a kill and are replayed on the history lane', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    clients.push(app);
    cloud.behaviour.refuseWith = { status: 503, headers: { 'retry-after': '0' } };
    cloud.cut();
    const cli = await gateway.app('cli');
    clients.push(cli);
    await waitFor(async () => (await cli.request('status', {})).link.state !== 'online');
    for (let value = 0; value < 20; value += 1) await app.enqueue([sample(value)]);
    await gateway.kill();
    gateway.start();
    cloud.behaviour.refuseWith = undefined;
    await waitFor(() => values(cloud.stored).length === 20);
    expect(values(cloud.stored)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(cloud.stored.find(({ type }) => type === 'telemetry')?.lane).toBe('history');
  });

  it('when samples wait longer than the configuration says, they expire: the ledger has them, and a gap tells the cloud', async () => {
    const { cloud, gateway } = await setUp({ queue: { history: { ageMs: 1000 } } });
    const [collector, cli] = [await gateway.app('telemetry-collector'), await gateway.app('cli')];
    clients.push(collector, cli);
    cloud.behaviour.refuseWith = { status: 503 };
    cloud.cut();
    const history = async () => {
      await collector.enqueue([sample(2)]);
      const { ledger } = (await cli.request('status', {})).queue.lanes['history'] ?? {};
      return ledger;
    };
    await waitFor(async () => ((await history())?.waiting ?? 0) > 0, { what: 'a sample to wait' });
    await waitFor(async () => ((await history())?.expired ?? 0) > 0, { what: 'a sample to expire' });
    cloud.behaviour.refuseWith = undefined;
    const gap = () =>
      cloud.stored.find(({ type, payload }) => type === 'gap' && payload['reason'] === 'expired');
    await waitFor(() => gap() !== undefined, { what: 'the gap' });
    expect(gap()).toMatchObject({ lane: 'events', payload: { lane: 'history', from: 1 } });
  });

  it('when telemetry is of the past, it takes lane history while the link is up, and what is of now does not', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    clients.push(app);
    await Promise.all([
      app.enqueue([sample(1)]),
      app.enqueue([sample(2)], { past: true }),
      app.enqueue([sample(3)]),
    ]);
    await waitFor(() => values(cloud.stored).length === 3);
    const lanes = cloud.stored.flatMap((record) => values([record]).map((value) => [value, record.lane]));
    expect(Object.fromEntries(lanes)).toEqual({ 1: 'telemetry', 2: 'history', 3: 'telemetry' });
  });

  it('when an app tells of its jobs and notes, the status has them until it goes, and only the CLI may have one run', async () => {
    const { gateway } = await setUp();
    const ran: string[] = [];
    const app = await gateway.app('telemetry-collector', [], (unregistered) => {
      unregistered.handle('runJob', ({ job }) => {
        ran.push(job);
        return {};
      });
      unregistered.handle('localHistory', ({ series }) => ({ names: [series ?? 'a'], points: [] }));
    });
    const cli = await gateway.app('cli');
    clients.push(app, cli);
    const job = {
      name: 'upload',
      schedule: 'every 60 s',
      state: 'waiting',
      runs: 1,
      failures: 0,
      skipped: 0,
    } as const;
    app.notify('appState', { state: 'ready', jobs: [job] });
    const jobs = async () => (await cli.request('status', {})).apps['telemetry-collector']?.jobs;
    await waitFor(async () => (await jobs()) !== undefined);
    expect(await jobs()).toEqual([job]);
    const note = { code: 'same-moment', count: 3, detail: 'series a' };
    app.notify('appState', { state: 'ready', notes: [note] });
    const notes = async () => (await cli.request('status', {})).apps['telemetry-collector']?.notes;
    expect(await waitFor(notes)).toEqual([note]);
    expect(await jobs()).toEqual([job]);
    await cli.request('runJob', { app: 'telemetry-collector', job: 'upload' });
    expect(await cli.request('localHistory', { from: 0, to: 1 })).toEqual({ names: ['a'], points: [] });
    await expect(app.request('runJob', { app: 'telemetry-collector', job: 'other' })).rejects.toMatchObject({
      code: 'cli-only',
    });
    expect(ran).toEqual(['upload']);
    app.close();
    await waitFor(async () => (await jobs()) === undefined);
    await expect(cli.request('localHistory', { from: 0, to: 1 })).rejects.toMatchObject({ code: 'app-away' });
  });

  it('when a server receipts nothing, nothing is deleted, and the next link sends it all again', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    clients.push(app);
    cloud.behaviour.receipt = false;
    cloud.behaviour.heartbeat = false;
    await app.enqueue([sample(1), sample(2)]);
    await waitFor(() => values(cloud.stored).length === 2);
    cloud.behaviour.welcomeWith = { received: {} }; // the server lost what it had
    cloud.cut();
    const link = await cloud.link((_, index) => index === 1);
    await waitFor(() => values(link.frames).length === 2);
    expect(values(link.frames)).toEqual([1, 2]);
  });

  it('when the gateway is killed again and again while samples flow, none is lost and the order is kept', async () => {
    const { cloud, gateway } = await setUp();
    const app = await gateway.app('telemetry-collector');
    clients.push(app);
    const total = 200;
    const sending = (async () => {
      for (let value = 0; value < total; value += 1) await app.enqueue([sample(value)]);
    })();
    for (let kill = 1; kill <= 4; kill += 1) {
      await waitFor(() => values(cloud.stored).length > (kill * total) / 8);
      await gateway.kill();
      gateway.start();
    }
    await sending;
    await waitFor(() => new Set(values(cloud.stored)).size === total);
    const arrived = values(cloud.stored);
    expect(arrived).toHaveLength(total); // none twice either: producer and batch number make a repeat harmless
    for (const lane of ['telemetry', 'history']) {
      const ofLane = values(cloud.stored.filter((record) => record.lane === lane));
      expect(ofLane).toEqual(ofLane.toSorted((a, b) => a - b));
    }
  });
});
