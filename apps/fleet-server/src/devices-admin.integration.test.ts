import { enrolmentToken, enrolmentTokenState, device as deviceView } from '@bowline/messages/operators';
import { waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
let count = 0;
beforeAll(async () => {
  server = await startTestServer();
});
const newDevice = () => server.device(`device-${(count += 1)}`);
const post = (path: string, body?: object) => server.api('POST', path, body);
const token = async (wanted: object = {}) => (await post('/v1/enrolment-tokens', wanted)).body;
const tokens = async () =>
  (await server.api('GET', '/v1/enrolment-tokens')).body['tokens'] as Record<string, unknown>[];

describe('revocation', () => {
  it('when a device is revoked, its link ends with 4403, it is not let in again, and enrolling does not help', async () => {
    const { token: text } = await token({ deviceId: 'thief' });
    const device = new RawDevice();
    await device.enrol(server.url, String(text));
    const link = await device.open();
    const { status, body } = await post('/v1/devices/thief/revoke');
    expect([status, body['revokedAt']]).toEqual([200, expect.any(Number)]);
    expect(deviceView(body)).toBe(true);
    expect((await link.closed).code).toBe(4403);
    const refused = { status: 403, body: { code: 'device-revoked' } };
    expect(await device.connect().refused).toMatchObject(refused);
    for (const again of [text, undefined, (await token({ maxUses: 5 }))['token']]) {
      expect(await device.enrol(server.url, again as string | undefined)).toMatchObject({
        status: 403,
        answer: { code: 'device-revoked' },
      });
    }
    expect((await post('/v1/devices/thief/revoke')).body['revokedAt']).toBe(body['revokedAt']);
  });

  it('when a link has not said hello yet, revocation ends that too', async () => {
    const device = await newDevice();
    const link = device.connect();
    await link.opened;
    await post(`/v1/devices/${device.deviceId}/revoke`);
    expect((await link.closed).code).toBe(4403);
  });

  it('when a revoked device is restored, the same key is let in, and what it sends counts', async () => {
    const device = await newDevice();
    await post(`/v1/devices/${device.deviceId}/revoke`);
    const { body } = await post(`/v1/devices/${device.deviceId}/restore`);
    expect(body['revokedAt']).toBeUndefined();
    const link = await device.open();
    link.event(1, 'back');
    await link.receipted('events', 1);
  });

  it('when a token was made for a device after its revocation, a new key enrols with it; one from before does not', async () => {
    const device = await newDevice();
    const { deviceId } = device;
    const before = await token({ deviceId });
    await post(`/v1/devices/${deviceId}/revoke`);
    const renewed = new RawDevice();
    expect((await renewed.enrol(server.url, String(before['token']))).status).toBe(403);
    const after = await token({ deviceId });
    expect((await renewed.enrol(server.url, String(after['token']))).status).toBe(201);
    await renewed.open();
    expect((await device.connect().refused).status).toBe(401);
  });

  it('when the device is unknown, revoke, restore and decommission answer 404', async () => {
    for (const what of ['revoke', 'restore', 'decommission']) {
      expect(await post(`/v1/devices/nobody/${what}`)).toMatchObject({
        status: 404,
        body: { code: 'unknown-device' },
      });
    }
  });
});

describe('decommissioning', () => {
  it('when a device is decommissioned, its link ends and nothing of it is left, while others keep what is theirs', async () => {
    const { token: text } = await token({ maxUses: 2 });
    const [device, other] = [new RawDevice(), await newDevice()];
    await device.enrol(server.url, String(text));
    const links = [await device.open(), await other.open()];
    const orders: string[] = [];
    for (const [index, { deviceId }] of [device, other].entries()) {
      const order = { type: 'command', payload: { name: 'ping' } };
      orders.push(String((await post(`/v1/devices/${deviceId}/orders`, order)).body['orderId']));
      links[index]?.sample(1, 1);
      links[index]?.event(1, 'kept');
      await links[index]?.receipted('events', 1);
    }
    const { deviceId } = device;
    await token({ deviceId });
    expect(await post(`/v1/devices/${deviceId}/decommission`)).toEqual({ status: 200, body: { deviceId } });
    expect((await links[0]?.closed)?.code).toBe(4403);
    for (const path of [`devices/${deviceId}`, `devices/${deviceId}/events`, `orders/${orders[0]}`])
      expect((await server.api('GET', `/v1/${path}`)).status).toBe(404);
    expect((await tokens()).filter((live) => live['deviceId'] === deviceId)).toEqual([]);
    expect((await device.connect().refused).body).toMatchObject({ code: 'unknown-device' });
    expect((await device.enrol(server.url, String(text))).status).toBe(410);

    const { body } = await server.api('GET', `/v1/devices/${other.deviceId}/events`);
    expect(body['events']).toHaveLength(1);
    expect((await server.api('GET', `/v1/orders/${orders[1]}`)).status).toBe(200);
  });

  it('when its name is used again, the new device begins with nothing', async () => {
    const old = await newDevice();
    const { deviceId } = old;
    const link = await old.open();
    for (let seq = 1; seq <= 700; seq += 1) link.event(seq, 'old');
    await link.receipted('events', 700);
    await post(`/v1/devices/${deviceId}/decommission`);
    const reborn = await server.device(deviceId);
    const welcome = (await reborn.open({ epoch: old.epoch })).frames[0];
    expect(welcome?.payload).toMatchObject({ resumed: false, received: { events: 0 } });
    expect((await server.api('GET', `/v1/devices/${deviceId}/events`)).body['events']).toEqual([]);
  });
});

describe('enrolment tokens', () => {
  it('when they are listed, each says whom it is for and how often it was used, and none tells its secret', async () => {
    const made = await token({ maxUses: 3, groups: ['hall-2'], name: 'Press', expiresInMs: 3_600_000 });
    expect(enrolmentToken(made)).toBe(true);
    await new RawDevice().enrol(server.url, String(made['token']));
    const { token: secret, ...rest } = made;
    const listed = (await tokens()).find(({ tokenId }) => tokenId === made['tokenId']);
    expect(listed).toEqual({ ...rest, uses: 1 });
    expect(enrolmentTokenState(listed)).toBe(true);
    expect(JSON.stringify(await tokens())).not.toContain(String(secret).split('.')[0]);
  });

  it('when one is revoked, no key enrols with it any more, and the devices that did stay', async () => {
    const made = await token({ maxUses: 3 });
    const device = new RawDevice();
    await device.enrol(server.url, String(made['token']));
    expect((await post(`/v1/enrolment-tokens/${made['tokenId']}/revoke`)).status).toBe(200);
    for (const each of [device, new RawDevice()])
      expect((await each.enrol(server.url, String(made['token']))).status).toBe(410);
    await device.open();
    expect((await post(`/v1/enrolment-tokens/${made['tokenId']}/revoke`)).body['code']).toBe('unknown-token');
  });
});

it('when an operator watches, revocation and restoration are told at once', async () => {
  const device = await newDevice();
  const response = await fetch(`${server.url}/v1/stream?device=${device.deviceId}`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  let heard = '';
  const stop = new AbortController();
  const listening = (async () => {
    for await (const chunk of response.body ?? []) {
      heard += Buffer.from(chunk).toString();
      if (stop.signal.aborted) return;
    }
  })();
  await post(`/v1/devices/${device.deviceId}/revoke`);
  await waitFor(() => heard.includes('revokedAt'));
  stop.abort();
  await post(`/v1/devices/${device.deviceId}/restore`);
  await listening;
});
