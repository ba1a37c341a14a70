import { randomUUID } from 'node:crypto';
import { waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { lanes, type Frame, type RawDevice, type RawLink } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
let count = 0;
beforeAll(async () => {
  server = await startTestServer({ keep: { waitingOrders: 20, orders: 25 } });
});
const newDevice = () => server.device(`device-${(count += 1)}`);

interface Order {
  orderId: string;
  seq: number;
  createdAt: number;
  status: string;
  attempt: number;
  history: { status: string; attempt: number }[];
  error?: { code: string };
  result?: unknown;
  progress?: unknown;
}
const send = async ({ deviceId }: RawDevice, name = 'ping', more: object = {}): Promise<Order> => {
  const body = { type: 'command', payload: { name }, ...more };
  const answer = await server.api('POST', `/v1/devices/${deviceId}/orders`, body);
  expect(answer.status).toBe(201);
  return answer.body as unknown as Order;
};
const order = async (orderId: string) =>
  (await server.api('GET', `/v1/orders/${orderId}`)).body as unknown as Order;
const becomes = (orderId: string, status: string) =>
  waitFor(async () => ((await order(orderId)).status === status ? order(orderId) : false), {
    what: `order to be ${status}`,
  });
const ids = (frames: Frame[]) =>
  frames.filter(({ type }) => type === 'command').map(({ id, seq }) => [id, seq]);
const serverEpoch = (link: RawLink) =>
  link.frames.find(({ type }) => type === 'welcome')?.payload['serverEpoch'] as string;

describe('life of an order', () => {
  it('when the device is connected, the order goes down at once and its acks come back', async () => {
    const device = await newDevice();
    const link = await device.open();
    const { orderId } = await send(device);
    const frame = await link.next('command');
    expect(frame).toMatchObject({ id: orderId, lane: 'orders', seq: 1, payload: { name: 'ping' } });
    link.live('receipt', { lanes: { orders: 1 } });
    link.ack(1, orderId, 'received');
    link.ack(2, orderId, 'started', 1);
    link.live('ack', { orderId, status: 'progress', attempt: 1, at: 1, percent: 50 });
    await waitFor(async () => (await order(orderId)).progress);
    expect((await order(orderId)).progress).toEqual({ percent: 50 });
    link.ack(3, orderId, 'succeeded', 1, { result: { pong: true } });
    const done = await becomes(orderId, 'succeeded');
    expect(done).toMatchObject({ attempt: 1, result: { pong: true } });
    expect(done.history.map(({ status }) => status)).toEqual([
      'queued',
      'sent',
      'received',
      'started',
      'succeeded',
    ]);
    expect(done.progress).toBeUndefined();
  });

  it('when reports repeat or come late, the order does not go backwards', async () => {
    const device = await newDevice();
    const link = await device.open();
    const { orderId } = await send(device);
    link.ack(1, orderId, 'succeeded', 1);
    link.ack(2, orderId, 'received');
    link.ack(3, orderId, 'failed', 1);
    await link.receipted('results', 3);
    expect(await order(orderId)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  it('when a device runs an order again, its attempts are counted', async () => {
    const device = await newDevice();
    const link = await device.open();
    const { orderId } = await send(device);
    link.ack(1, orderId, 'started', 1);
    link.ack(2, orderId, 'started', 2);
    link.ack(3, orderId, 'failed', 2, { error: { code: 'exit-1', message: 'failed' } });
    expect(await becomes(orderId, 'failed')).toMatchObject({ attempt: 2, error: { code: 'exit-1' } });
  });

  it('when an ack is of an order that nobody knows, it is stored and receipted all the same', async () => {
    const link = await (await newDevice()).open();
    link.ack(1, '01890000-0000-7000-8000-000000000000', 'succeeded', 1);
    await link.receipted('results', 1);
  });

  it('when another device acks an order, nothing changes', async () => {
    const [owner, other] = [await newDevice(), await newDevice()];
    const { orderId } = await send(owner);
    const link = await other.open();
    link.ack(1, orderId, 'succeeded', 1);
    await link.receipted('results', 1);
    expect((await order(orderId)).status).toBe('queued');
  });

  it('when it is called off while its device is away, the device gets it as expired, and then the cancel', async () => {
    const device = await newDevice();
    const { orderId, createdAt } = await send(device);
    const { body } = await server.api('POST', `/v1/orders/${orderId}/cancel`, {});
    const error = { code: 'withdrawn' };
    expect(await order(orderId)).toMatchObject({ status: 'queued', error });
    const link = await device.open();
    expect((await link.next('command')).payload).toMatchObject({ expiresAt: createdAt });
    const cancel = await link.next('cancel');
    expect(cancel.payload).toEqual({ orderId });
    link.ack(1, orderId, 'expired', 0, { error: { code: 'expired', message: 'expired before it arrived' } });
    const tooLate = { code: 'too-late', message: `order ${orderId} is expired` };
    link.ack(2, String((body as { orderId: unknown }).orderId), 'failed', 0, { error: tooLate });
    expect(await becomes(orderId, 'expired')).toMatchObject({ error });
    expect(await becomes(String((body as { orderId: unknown }).orderId), 'failed')).toMatchObject({ error });
  });

  it('when it is called off and the device had it after all, what came of it is told', async () => {
    const device = await newDevice();
    const { orderId } = await send(device);
    await server.api('POST', `/v1/orders/${orderId}/cancel`, {});
    const link = await device.open();
    link.ack(1, orderId, 'started', 1);
    expect(((await becomes(orderId, 'started')) as { error?: unknown }).error).toBeUndefined();
  });

  it('when it is called off, a cancel follows it down', async () => {
    const device = await newDevice();
    const link = await device.open();
    const { orderId } = await send(device);
    const { status, body } = await server.api('POST', `/v1/orders/${orderId}/cancel`, {});
    expect(status).toBe(201);
    expect(body).toMatchObject({ type: 'cancel', payload: { orderId }, seq: 2 });
    expect((await link.next('cancel')).payload).toEqual({ orderId });
    link.ack(1, orderId, 'cancelled');
    await becomes(orderId, 'cancelled');
    const again = await server.api('POST', `/v1/orders/${orderId}/cancel`, {});
    expect(again).toMatchObject({ status: 409, body: { code: 'order-ended' } });
  });

  it('when it expires, the moment stands in the payload on server time', async () => {
    const device = await newDevice();
    const { orderId } = await send(device, 'ping', { expiresInMs: 60_000 });
    const { createdAt, expiresAt, payload } = (await order(orderId)) as unknown as {
      createdAt: number;
      expiresAt: number;
      payload: object;
    };
    expect(expiresAt).toBe(createdAt + 60_000);
    expect(payload).toEqual({ name: 'ping', expiresAt });
  });
});

describe('delivery of orders', () => {
  it('when the device is away, orders wait and come in order', async () => {
    const device = await newDevice();
    const orders = [await send(device), await send(device), await send(device)];
    const link = await device.open();
    await link.next('command', () => ids(link.frames).length === 3);
    expect(ids(link.frames)).toEqual(orders.map(({ orderId }, index) => [orderId, index + 1]));
  });

  it('when nothing was receipted, a resume sends the same again; what was receipted stays away', async () => {
    const device = await newDevice();
    const [first, second] = [await send(device), await send(device)];
    const link = await device.open();
    await link.next('command', () => ids(link.frames).length === 2);
    const epoch = serverEpoch(link);
    await link.close();
    const again = await device.open({ serverEpoch: epoch, received: 1 });
    await again.next('command');
    const third = await send(device);
    await again.next('command');
    expect(ids(again.frames)).toEqual([
      [second.orderId, 2],
      [third.orderId, 3],
    ]);
    expect(await order(first.orderId)).toMatchObject({ status: 'sent' });
  });

  it('when the device allows few in flight, the next waits for a receipt', async () => {
    const device = await newDevice();
    const orders = [await send(device), await send(device), await send(device)];
    const link = await device.open({ limits: { frameBytes: 65_536, inflightMessages: 2 } });
    await link.next('command', () => ids(link.frames).length === 2);
    const id = link.live('heartbeat', {
      uptimeSeconds: 1,
      queue: { messages: 0, bytes: 0 },
      ledger: {},
      receivedSeq: 0,
      apps: {},
    });
    await link.next('heartbeat', ({ re }) => re === id);
    expect(ids(link.frames)).toHaveLength(2);
    link.live('receipt', { lanes: { orders: 1 } });
    await waitFor(() => ids(link.frames).length === 3);
    expect(ids(link.frames)[2]).toEqual([orders[2]?.orderId, 3]);
  });

  it('when the device receipts what was never sent, that is ignored and raises an alarm', async () => {
    const device = await newDevice();
    const link = await device.open();
    link.live('receipt', { lanes: { orders: 7 } });
    const kinds = await waitFor(async () => {
      const { body } = await server.api('GET', `/v1/devices/${device.deviceId}`);
      return (body['alarms'] as { kind: string }[]).map(({ kind }) => kind).includes('receipt-ahead');
    });
    expect(kinds).toBe(true);
    await send(device);
    expect(await link.next('command')).toMatchObject({ seq: 1 });
  });

  it('when an order is larger than the device takes, it is refused here and the next goes on', async () => {
    const device = await newDevice();
    const large = await send(device, 'big', { payload: { name: 'big', params: { text: 'x'.repeat(3000) } } });
    const small = await send(device);
    const link = await device.open({ limits: { frameBytes: 2048, inflightMessages: 16 } });
    expect(await link.next('command')).toMatchObject({ id: small.orderId, seq: 2 });
    expect(await order(large.orderId)).toMatchObject({ status: 'rejected', error: { code: 'too-large' } });
  });

  it('when the device closes three times over the same order, that order is given up', async () => {
    const device = await newDevice();
    const { orderId } = await send(device);
    let epoch: string | undefined;
    for (let time = 1; time <= 3; time += 1) {
      const link = await device.open(epoch === undefined ? {} : { serverEpoch: epoch });
      epoch = serverEpoch(link);
      await link.next('command');
      link.socket.close(1009);
      await link.closed;
    }
    expect(await becomes(orderId, 'rejected')).toMatchObject({ error: { code: 'undeliverable' } });
    const link = await device.open({ serverEpoch: epoch });
    const next = await send(device);
    expect(await link.next('command')).toMatchObject({ id: next.orderId, seq: 2 });
  });

  it('when too many wait, further ones are refused until the device takes some', async () => {
    const device = await newDevice();
    for (let index = 0; index < 20; index += 1) await send(device);
    const refused = await server.api('POST', `/v1/devices/${device.deviceId}/orders`, {
      type: 'command',
      payload: { name: 'ping' },
    });
    expect(refused).toMatchObject({ status: 429, body: { code: 'too-many-orders' } });
    const link = await device.open();
    await link.next('command');
    link.live('receipt', { lanes: { orders: 1 } });
    await waitFor(async () => {
      const { status } = await server.api('POST', `/v1/devices/${device.deviceId}/orders`, {
        type: 'command',
        payload: { name: 'ping' },
      });
      return status === 201;
    });
  });

  it('when more orders have ended than are kept, the oldest go', async () => {
    const device = await newDevice();
    const link = await device.open();
    const [first] = [await send(device)];
    link.ack(1, first.orderId, 'succeeded', 1);
    link.live('receipt', { lanes: { orders: 1 } });
    await becomes(first.orderId, 'succeeded');
    for (let seq = 2; seq <= 30; seq += 1) {
      const { orderId } = await send(device);
      await link.next('command', () => true);
      link.live('receipt', { lanes: { orders: seq } });
      link.ack(seq, orderId, 'succeeded', 1);
      await becomes(orderId, 'succeeded');
    }
    const { body } = await server.api('GET', `/v1/devices/${device.deviceId}/orders?limit=100`);
    expect(body['orders']).toHaveLength(25);
    expect((await server.api('GET', `/v1/orders/${first.orderId}`)).status).toBe(404);
  });
});

describe('epochs and orders', () => {
  it('when the device lost its store, unfinished orders come from seq 1, but none that had started', async () => {
    const device = await newDevice();
    const link = await device.open();
    const [started, waiting, idempotent] = [
      await send(device),
      await send(device),
      await send(device, 'again'),
    ];
    await link.next('command', () => ids(link.frames).length === 3);
    link.live('receipt', { lanes: { orders: 3 } });
    link.ack(1, started.orderId, 'started', 1);
    link.ack(2, idempotent.orderId, 'started', 1);
    await becomes(idempotent.orderId, 'started');
    await link.close();

    device.epoch = randomUUID();
    const renewed = await device.open({ capabilities: ['idempotent:again'] });
    await renewed.next('command', () => ids(renewed.frames).length === 2);
    expect(ids(renewed.frames)).toEqual([
      [waiting.orderId, 1],
      [idempotent.orderId, 2],
    ]);
    expect(await order(started.orderId)).toMatchObject({ status: 'indeterminate' });
    renewed.ack(1, started.orderId, 'succeeded', 1);
    await becomes(started.orderId, 'succeeded');
  });

  it('when the device holds orders that this store does not know, it alone gets a new epoch and its orders again', async () => {
    const own = await startTestServer();
    const device = await own.device('restored');
    const bystander = await own.device('bystander');
    const link = await device.open();
    const other = await bystander.open();
    const epoch = serverEpoch(link);
    const { body } = await own.api('POST', '/v1/devices/restored/orders', {
      type: 'command',
      payload: { name: 'ping' },
    });
    await link.next('command');
    await link.close();

    const again = await device.open({ serverEpoch: epoch, received: 9 });
    expect(serverEpoch(again)).not.toBe(epoch);
    expect(await again.next('command')).toMatchObject({ id: body['orderId'], seq: 1 });
    other.event(1, 'still-here');
    await other.receipted('events', 1);
    expect((await own.api('GET', '/v1/server')).body).toMatchObject({ serverEpoch: epoch });
    expect(serverEpoch(await bystander.open({ serverEpoch: epoch, ...lanes({ events: [2, 2] }) }))).toBe(
      epoch,
    );
    const view = await own.api('GET', '/v1/devices/restored');
    expect(view.body['alarms']).toMatchObject([{ kind: 'server-rollback' }]);
    await own.stop();
  });

  it('when the device was restored within its epoch, what it no longer holds is sent again', async () => {
    const device = await newDevice();
    const link = await device.open();
    const orders = [await send(device), await send(device)];
    await link.next('command', () => ids(link.frames).length === 2);
    link.live('receipt', { lanes: { orders: 2 } });
    link.event(1, 'x');
    await link.receipted('events', 1);
    const epoch = serverEpoch(link);
    await link.close();
    const again = await device.open({ serverEpoch: epoch, received: 0, ...lanes({ events: [1, 2] }) });
    await again.next('command', () => ids(again.frames).length === 2);
    expect(ids(again.frames)).toEqual(orders.map(({ orderId }, index) => [orderId, index + 1]));
  });
});
