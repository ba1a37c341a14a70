import { randomUUID } from 'node:crypto';
import { freePort, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeAll, describe, expect, it } from 'vitest';
import { lanes, type RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
let count = 0;
beforeAll(async () => {
  server = await startTestServer();
});
const newDevice = () => server.device(`device-${(count += 1)}`);
const received = async (device: RawDevice, hello: object = {}) => {
  const link = await device.open(hello);
  return link.frames[0]?.payload['received'] as Record<string, number>;
};
const alarms = async ({ deviceId }: RawDevice) => {
  const { body } = await server.api('GET', `/v1/devices/${deviceId}`);
  return (body['alarms'] as { kind: string; data: unknown }[]).map(({ kind }) => kind);
};
const samples = async ({ deviceId }: RawDevice) => {
  const { body } = await server.api('GET', `/v1/devices/${deviceId}/telemetry?series=test.value`);
  return (body['samples'] as { value: number }[]).map(({ value }) => value);
};

describe('upgrade', () => {
  it('when the token is good, the link opens with the subprotocol', async () => {
    const link = await (await newDevice()).open();
    expect(link.socket.protocol).toBe('bowline.v1');
    expect(link.frames[0]?.payload).toMatchObject({ resumed: false, heartbeatSeconds: 30 });
  });

  it.each([
    ['of another server', { aud: 'someone-else' }, undefined],
    ['of another device', { sub: 'other' }, undefined],
    ['expired', { iat: 1_600_000_000, exp: 1_600_000_060 }, undefined],
    ['too long-lived', { exp: Math.floor(Date.now() / 1000) + 3600 }, undefined],
    ['without jti', { jti: undefined }, undefined],
    ['with a header that says more', {}, { alg: 'EdDSA', kid: 'x' }],
    ['not signed', {}, { alg: 'none' }],
  ])('when the token is %s, the answer is 401 with the time of the server', async (_, claims, header) => {
    const device = await newDevice();
    const { status, headers, body } = await device.connect({ token: device.token(claims, header) }).refused;
    expect(status).toBe(401);
    expect(headers['content-type']).toMatch(/application\/problem\+json/);
    expect(Math.abs(Number(body['serverTime']) - Date.now())).toBeLessThan(60_000);
  });

  it('when a token comes a second time, it is refused', async () => {
    const device = await newDevice();
    const token = device.token();
    await device.connect({ token }).opened;
    const { status, body } = await device.connect({ token }).refused;
    expect(status).toBe(401);
    expect(body).toMatchObject({ code: 'token-replayed' });
  });

  it('when the device is unknown, the answer is 403', async () => {
    const device = await newDevice();
    device.link = device.link.replace(device.deviceId, 'nobody');
    expect((await device.connect().refused).status).toBe(403);
  });

  it('when the token is of another known device, the answer is 401', async () => {
    const [one, other] = [await newDevice(), await newDevice()];
    one.link = other.link;
    expect((await one.connect().refused).status).toBe(401);
  });

  it('when no offered version is known, the upgrade completes and 4406 closes it', async () => {
    const device = await newDevice();
    expect((await device.connect({ protocols: [] }).closed).code).toBe(4406);
  });

  it('when a device tries too often, it is told when to come back', async () => {
    const device = await newDevice();
    const attempts = Array.from({ length: 40 }, () => device.connect({ token: 'x.y.z' }).refused);
    const refusals = (await Promise.all(attempts)).filter(({ status }) => status === 429);
    expect(refusals.length).toBeGreaterThan(0);
    expect(Number(refusals[0]?.headers['retry-after'])).toBeGreaterThan(0);
  });

  it.each([
    ['is trusted: the device keeps its attempts', ['127.0.0.1'], 'let in'],
    ['is not trusted: what it says of the caller counts for nothing', [], 429],
  ])('when a stranger comes by the same proxy, and it %s', async (_, trustedProxies, expected) => {
    const link = { attemptsBurst: 2, attemptsPerSecond: 0.001 };
    const behindProxy = await startTestServer({ trustedProxies, link });
    const device = await behindProxy.device('d1');
    const stranger = () => device.connect({ token: 'x.y.z', forwardedFor: '198.51.100.7' }).refused;
    expect([await stranger(), await stranger(), await stranger()].map(({ status }) => status)).toEqual([
      401, 401, 429,
    ]);
    const { opened, refused } = device.connect({ forwardedFor: '192.0.2.1' });
    expect(await Promise.race([opened.then(() => 'let in'), refused.then(({ status }) => status)])).toBe(
      expected,
    );
    await behindProxy.stop();
  });

  it('when the disk of the server is nearly full, devices are sent away with 503', async () => {
    const port = await freePort();
    const before = await startTestServer({ port });
    const device = await before.device('d1');
    await before.stop();
    const full = await startTestServer({
      stateDir: before.stateDir,
      port,
      keep: { minFreeBytes: 2 ** 50 },
    });
    const { status, headers, body } = await device.connect().refused;
    expect(status).toBe(503);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(body).toMatchObject({ code: 'disk-full' });
    await full.stop();
  });

  it('when there are as many links as there may be, the next is told to come back', async () => {
    const small = await startTestServer({ link: { maxLinks: 1 } });
    const [one, two] = [await small.device('d1'), await small.device('d2')];
    await one.open();
    const { status, headers, body } = await two.connect().refused;
    expect([status, body['code']]).toEqual([503, 'overloaded']);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    await small.stop();
  });

  it('when the path is none of a link, nothing is upgraded', async () => {
    const device = await newDevice();
    device.link = device.link.replace('/link', '/other');
    expect((await device.connect().refused).status).toBe(404);
  });
});

describe('hello', () => {
  it('when something comes before it, that is ignored and not stored', async () => {
    const device = await newDevice();
    const link = device.connect();
    await link.opened;
    link.sample(1, 1);
    link.hello();
    const welcome = await link.next('welcome');
    expect(welcome.payload['received']).toMatchObject({ telemetry: 0 });
    expect(await samples(device)).toEqual([]);
  });

  it('when it comes twice, the link is closed 4408', async () => {
    const link = await (await newDevice()).open();
    link.hello();
    expect((await link.closed).code).toBe(4408);
  });

  it('when it names another device, there is no welcome', async () => {
    const device = await newDevice();
    const link = device.connect();
    await link.opened;
    link.hello({ deviceId: 'other' });
    expect((await link.next('reject')).payload).toMatchObject({ code: 'invalid' });
    expect(link.frames.some(({ type }) => type === 'welcome')).toBe(false);
  });

  it('when a second link says hello, the first is closed 4409 and only the second is heard', async () => {
    const device = await newDevice();
    const first = await device.open();
    const second = await device.open();
    expect((await first.closed).code).toBe(4409);
    second.sample(1, 1);
    await second.receipted('telemetry', 1);
  });

  it('when two boots of one device are alive at once, it is called a clone', async () => {
    const device = await newDevice();
    await device.open();
    device.bootId = randomUUID();
    await device.open();
    expect(await alarms(device)).toContain('clone');
  });
});

describe('uplink', () => {
  it('when messages come, they are stored and receipted with few receipts', async () => {
    const device = await newDevice();
    const link = await device.open();
    for (let seq = 1; seq <= 200; seq += 1) link.sample(seq, seq);
    await link.receipted('telemetry', 200);
    expect(link.receipts('telemetry').length).toBeLessThan(100);
    expect(await samples(device)).toHaveLength(200);
  });

  it('when a batch comes, one receipt covers it', async () => {
    const device = await newDevice();
    const link = await device.open();
    const message = (seq: number) => ({
      id: uuidv7(),
      type: 'telemetry',
      seq,
      sentAt: 1,
      payload: { samples: [{ series: 'test.value', at: seq, value: seq }] },
    });
    link.send({ type: 'batch', lane: 'telemetry', messages: [1, 2, 3].map(message) });
    await link.receipted('telemetry', 3);
    expect(link.receipts('telemetry')).toEqual([3]);
    expect(await samples(device)).toEqual([1, 2, 3]);
  });

  it('when one message of a batch is bad, it alone is refused and the receipt passes it', async () => {
    const device = await newDevice();
    const link = await device.open();
    const bad = uuidv7();
    const good = { series: 'test.value', at: 1, value: 1 };
    link.send({
      type: 'batch',
      lane: 'telemetry',
      messages: [
        { id: uuidv7(), type: 'telemetry', seq: 1, sentAt: 1, payload: { samples: [good] } },
        { id: bad, type: 'telemetry', seq: 2, sentAt: 1, payload: { samples: [] } },
        {
          id: uuidv7(),
          type: 'telemetry',
          seq: 3,
          sentAt: 1,
          payload: { samples: [{ ...good, at: 3, value: 3 }] },
        },
      ],
    });
    expect((await link.next('reject')).payload).toMatchObject({ id: bad, code: 'invalid' });
    await link.receipted('telemetry', 3);
    expect(link.frames.findIndex(({ type }) => type === 'reject')).toBeLessThan(
      link.frames.findIndex(({ type }) => type === 'receipt'),
    );
    expect(await samples(device)).toEqual([1, 3]);
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}/dead-letters`);
    expect(body['deadLetters']).toMatchObject([{ id: bad, lane: 'telemetry', seq: 2, code: 'invalid' }]);
  });

  it('when the same message comes again after a resume, it is receipted in silence and stored once', async () => {
    const device = await newDevice();
    const link = await device.open();
    const id = link.sample(1, 42);
    await link.receipted('telemetry', 1);
    await link.close();
    expect(await received(device, lanes({ telemetry: [1, 2] }))).toMatchObject({ telemetry: 1 });
    const again = await device.open(lanes({ telemetry: [1, 2] }));
    again.sample(1, 42, id);
    await again.receipted('telemetry', 1);
    expect(again.frames.some(({ type }) => type === 'reject')).toBe(false);
    expect(await samples(device)).toEqual([42]);
  });

  it('when another message comes under a known seq, it is a conflict, told again if it comes again', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.sample(1, 42);
    await link.receipted('telemetry', 1);
    const id = link.sample(1, 43);
    expect((await link.next('reject')).payload).toMatchObject({ id, code: 'conflict' });
    link.sample(1, 43, id);
    expect((await link.next('reject')).payload).toMatchObject({ id, code: 'conflict' });
    expect(await samples(device)).toEqual([42]);
    expect(await alarms(device)).toContain('conflict');
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}/dead-letters`);
    expect(body['deadLetters']).toHaveLength(1);
  });

  it('when content differs under the same seq and id, it is a conflict too', async () => {
    const device = await newDevice();
    const link = await device.open();
    const id = link.sample(1, 42);
    link.sample(1, 43, id);
    expect((await link.next('reject')).payload).toMatchObject({ id, code: 'conflict' });
  });

  it('when a seq is jumped, the receipt passes the hole, and a gap explains it', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.sample(1, 1);
    link.sample(5, 5);
    await link.receipted('telemetry', 5);
    link.durable('events', 1, 'gap', { lane: 'telemetry', from: 2, to: 4, count: 3, reason: 'overflow' });
    await link.receipted('events', 1);
    await link.close();
    await device.open(lanes({ telemetry: [6, 6], events: [2, 2] }));
    expect(await alarms(device)).toEqual([]);
  });

  it('when a hole is still open after the events that should explain it, operators are told which', async () => {
    const device = await newDevice();
    const link = await device.open(lanes({ telemetry: [4, 9], events: [1, 3] }));
    link.sample(4, 4);
    await link.receipted('telemetry', 4);
    link.event(1, 'something');
    await link.receipted('events', 1);
    expect(await alarms(device)).toEqual([]);
    link.durable('events', 2, 'gap', { lane: 'telemetry', from: 1, to: 2, count: 2, reason: 'overflow' });
    await link.receipted('events', 2);
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}`);
    expect(body['alarms']).toMatchObject([
      { kind: 'unexplained-hole', data: { holes: [{ lane: 'telemetry', ranges: [{ from: 3, to: 3 }] }] } },
    ]);
  });

  it('when the device has a new epoch, lanes start again, events are known by id and samples by time', async () => {
    const device = await newDevice();
    const link = await device.open();
    const event = link.event(1, 'first');
    link.sample(1, 1, undefined, 1000);
    await link.receipted('events', 1);
    await link.receipted('telemetry', 1);
    await link.close();
    device.epoch = randomUUID();
    const renewed = await device.open(lanes({ events: [1, 3], telemetry: [1, 2] }));
    expect(renewed.frames[0]?.payload).toMatchObject({ received: { events: 0 }, resumed: false });
    renewed.event(1, 'first', event);
    renewed.event(2, 'second');
    renewed.sample(1, 1, undefined, 1000);
    await renewed.receipted('events', 2);
    await renewed.receipted('telemetry', 1);
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}/events`);
    expect((body['events'] as { kind: string }[]).map(({ kind }) => kind)).toEqual(['second', 'first']);
    expect(await samples(device)).toEqual([1]);
  });

  it('when a message is on a lane that is not its own, it is refused', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.durable('results', 1, 'telemetry', { samples: [{ series: 'a', at: 1, value: 1 }] });
    expect((await link.next('reject')).payload).toMatchObject({ code: 'invalid' });
    await link.receipted('results', 1);
  });

  it('when a type is unknown, it is refused and the link stays', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.live('novelty', {});
    expect((await link.next('reject')).payload).toMatchObject({ code: 'unsupported' });
    link.durable('telemetry', 1, 'novelty', {});
    expect((await link.next('reject')).payload).toMatchObject({ code: 'unsupported' });
    await link.receipted('telemetry', 1);
  });

  it('when a durable message has no seq, it is refused', async () => {
    const link = await (await newDevice()).open();
    link.live('event', { kind: 'x', severity: 'info', at: 1, data: {} });
    expect((await link.next('reject')).payload).toMatchObject({ code: 'invalid' });
  });

  it('when a heartbeat comes, the answer holds what is durable', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
    const entry = { accepted: 1, receipted: 1, expired: 0, dropped: 0, rejected: 0, waiting: 0 };
    const beat = {
      uptimeSeconds: 5,
      queue: { messages: 0, bytes: 0 },
      ledger: { telemetry: entry },
      receivedSeq: 0,
    };
    const id = link.live('heartbeat', { ...beat, apps: { 'command-executor': 'online' }, roundTripMs: 12 });
    const answer = await link.next('heartbeat');
    expect(answer.payload).toMatchObject({ re: id, received: { telemetry: 1 }, processed: { telemetry: 1 } });
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}`);
    expect(body).toMatchObject({ online: true, roundTripMs: 12, apps: { 'command-executor': 'online' } });
  });
});

describe('framing', () => {
  it.each([
    ['not JSON', '{"type":', 1007],
    ['nested too deep', `${'['.repeat(40)}${']'.repeat(40)}`, 1007],
    ['binary', Buffer.from([1, 2, 3]), 1003],
    ['too large', JSON.stringify({ type: 'event', text: 'x'.repeat(70_000) }), 1009],
  ])('when a frame is %s, the link is closed', async (_, frame, code) => {
    const device = await newDevice();
    const link = await device.open();
    link.send(frame);
    expect((await link.closed).code).toBe(code);
    await waitFor(async () => {
      const { body } = await server.api('GET', `/v1/devices/${device.deviceId}`);
      return body['online'] === false;
    });
  });

  it('when a frame is JSON but no envelope, it is refused and the link stays', async () => {
    const link = await (await newDevice()).open();
    link.send('[1,2]');
    expect((await link.next('reject')).payload).toMatchObject({ id: null, code: 'invalid' });
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
  });

  it('when the device rejects something, that is not answered', async () => {
    const link = await (await newDevice()).open();
    link.live('reject', { id: 5 });
    link.live('reject', { id: null, code: 'x', detail: 'y' });
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
    expect(link.frames.some(({ type }) => type === 'reject')).toBe(false);
  });
});
