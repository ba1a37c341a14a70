/** The fake cloud that tests of the device use passes the same contract as this server. */
import { decodeDownlink } from '@bowline/messages/downlink';
import { waitFor } from '@bowline/testing';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { lanes, RawDevice, type RawLink } from './testing/raw-device.ts';
import { startTestServer } from './testing/test-server.ts';

interface CloudUnderTest {
  origin: string;
  /** A one-time token for one new device. */
  token(): Promise<string>;
  /** Gives the device an order while it is connected. */
  order(device: RawDevice): Promise<unknown>;
  /** Values of the samples that were stored, in order. */
  samples(device: RawDevice): Promise<unknown[]>;
}

async function realServer(): Promise<CloudUnderTest> {
  const { url, api } = await startTestServer();
  return {
    origin: url,
    token: async () =>
      String((await api('POST', '/v1/enrolment-tokens', { deviceId: 'device-1' })).body['token']),
    order: ({ deviceId }) =>
      api('POST', `/v1/devices/${deviceId}/orders`, { type: 'command', payload: { name: 'ping' } }),
    samples: async ({ deviceId }) => {
      const { body } = await api('GET', `/v1/devices/${deviceId}/telemetry?series=test.value`);
      return (body['samples'] as { value: number }[]).map(({ value }) => value);
    },
  };
}

async function fakeCloud(): Promise<CloudUnderTest> {
  const cloud = await FakeCloud.start();
  return {
    origin: cloud.origin,
    token: async () => cloud.token,
    order: async () => (await cloud.link()).order('command', { name: 'ping' }),
    samples: async () =>
      cloud.stored.flatMap(({ payload }) =>
        ((payload['samples'] ?? []) as { value: number }[]).map(({ value }) => value),
      ),
  };
}

describe.each([
  ['this server', realServer],
  ['the fake cloud', fakeCloud],
])('%s', (_name, start) => {
  async function enrolled(cloud: CloudUnderTest): Promise<RawDevice> {
    const device = new RawDevice();
    expect((await device.enrol(cloud.origin, await cloud.token())).status).toBe(201);
    return device;
  }

  /** Every frame that came decodes by the contract. */
  function expectGoodFrames({ frames }: RawLink): void {
    for (const frame of frames) expect(() => decodeDownlink(JSON.stringify(frame))).not.toThrow();
  }

  it('when a device enrols with a good token, it is told its id, its link and whom to trust', async () => {
    const cloud = await start();
    const { status, answer } = await new RawDevice().enrol(cloud.origin, await cloud.token());
    expect(status).toBe(201);
    expect(answer).toMatchObject({
      deviceId: 'device-1',
      serverId: expect.any(String),
      link: expect.stringMatching(/^ws:.*\/v1\/devices\/device-1\/link$/),
      trust: { payload: expect.any(String), signatures: expect.any(Array) },
      serverTime: expect.any(Number),
    });
  });

  it('when a device enrols with a token that nobody gave out, the answer is a problem document', async () => {
    const cloud = await start();
    const [, thumbprint] = (await cloud.token()).split('.');
    const { status, answer } = await new RawDevice().enrol(cloud.origin, `AAAA.${thumbprint}`);
    expect(status).toBe(410);
    expect(answer).toMatchObject({ status: 410, title: expect.any(String) });
  });

  it('when the link token is not good, the answer is 401', async () => {
    const device = await enrolled(await start());
    expect((await device.connect({ token: device.token({ aud: 'someone-else' }) }).refused).status).toBe(401);
  });

  it('when a device says hello, it is welcomed with what is held of its lanes', async () => {
    const device = await enrolled(await start());
    const link = await device.open();
    const received = link.frames[0]?.payload['received'] as Record<string, number>;
    expect(Object.values(received).every((seq) => seq === 0)).toBe(true);
    expectGoodFrames(link);
  });

  it('when a message comes, it is stored and receipted; when it comes again, it is receipted and stored once', async () => {
    const cloud = await start();
    const device = await enrolled(cloud);
    const link = await device.open();
    const id = link.sample(1, 11);
    await link.receipted('telemetry', 1);
    link.sample(1, 11, id);
    link.sample(2, 12);
    await link.receipted('telemetry', 2);
    await waitFor(async () => (await cloud.samples(device)).length >= 2);
    expect(await cloud.samples(device)).toEqual([11, 12]);
    expectGoodFrames(link);
  });

  it('when a batch comes, it is receipted up to its last seq', async () => {
    const cloud = await start();
    const device = await enrolled(cloud);
    const link = await device.open();
    const message = (seq: number) => {
      const samples = [{ series: 'test.value', at: 1_700_000_000_000 + seq, value: seq }];
      return { id: uuidv7(), type: 'telemetry', seq, sentAt: Date.now(), payload: { samples } };
    };
    link.send({ type: 'batch', lane: 'telemetry', messages: [message(1), message(2), message(3)] });
    await link.receipted('telemetry', 3);
    await waitFor(async () => (await cloud.samples(device)).length >= 3);
    expect(await cloud.samples(device)).toEqual([1, 2, 3]);
  });

  it('when the device comes back, the welcome says what was stored', async () => {
    const device = await enrolled(await start());
    const first = await device.open();
    first.sample(1, 1);
    await first.receipted('telemetry', 1);
    await first.close();
    const second = await device.open(lanes({ telemetry: [2, 2] }));
    expect(second.frames[0]?.payload).toMatchObject({ resumed: true, received: { telemetry: 1 } });
  });

  it('when the device has a new epoch, the server expects every lane from its start', async () => {
    const device = await enrolled(await start());
    const first = await device.open();
    first.sample(1, 1);
    await first.receipted('telemetry', 1);
    await first.close();
    device.epoch = '2f1c9a4e-8b7d-4c3e-9f10-1a2b3c4d5e6f';
    const second = await device.open();
    const received = second.frames[0]?.payload['received'] as Record<string, number>;
    expect(received['telemetry'] ?? 0).toBe(0);
  });

  it('when a heartbeat comes, it is answered with its id and the time', async () => {
    const device = await enrolled(await start());
    const link = await device.open();
    const zero = { accepted: 0, receipted: 0, expired: 0, dropped: 0, rejected: 0, waiting: 0 };
    const id = link.live('heartbeat', {
      uptimeSeconds: 1,
      queue: { messages: 0, bytes: 0 },
      ledger: { results: zero, events: zero, telemetry: zero, history: zero },
      receivedSeq: 0,
      apps: {},
    });
    const { payload } = await link.next('heartbeat');
    expect(payload).toMatchObject({ re: id, serverTime: expect.any(Number) });
    expectGoodFrames(link);
  });

  it('when a frame is no JSON, the link is closed with 1007', async () => {
    const device = await enrolled(await start());
    const link = await device.open();
    link.send('1a');
    expect((await link.closed).code).toBe(1007);
  });

  it('when an order is given, the device gets it with lane, seq and id, and the next one follows', async () => {
    const cloud = await start();
    const device = await enrolled(cloud);
    const link = await device.open();
    await cloud.order(device);
    await cloud.order(device);
    const one = await link.next('command');
    const two = await link.next('command');
    expect([one, two]).toMatchObject([
      { lane: 'orders', seq: 1, payload: { name: 'ping' } },
      { lane: 'orders', seq: 2, payload: { name: 'ping' } },
    ]);
    expect(one.id).not.toBe(two.id);
    expectGoodFrames(link);
  });
});
