import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HubClient } from '@bowline/ipc';
import { FaultProxy, freePort, seededRandom, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTerminal } from '@bowline/messages';
import { accountFor } from '../torture/account.ts';
import { SERIES } from '../torture/producer.ts';
import { readArrivals } from '../torture/server-log.ts';
import { BareDevice } from './bare-device.ts';
import { PlainServer } from './plain-server.ts';

const START_MS = 1_700_000_000_000;
const SAMPLE_EVERY_MS = 10;

const random = seededRandom();
let server: PlainServer;
let proxy: FaultProxy;
let device: BareDevice;
let deviceId: string;
let hub: HubClient;
/** How many numbers the gateway has accepted. */
let accepted = 0;
const orders: string[] = [];
const stopping = new AbortController();
let traffic: Promise<void>;

beforeAll(async () => {
  const port = await freePort();
  proxy = await FaultProxy.start(port, random);
  const publicUrl = `http://127.0.0.1:${proxy.port}`;
  server = await PlainServer.start({ port, publicUrl, link: { attemptsBurst: 1000, reconnectMaxMs: 100 } });
  // A link that falls silent lasts as long as on a device: here it ends by what befalls it, and by nothing else.
  device = new BareDevice({ url: publicUrl, token: await server.token() });
  device.startGateway();
  device.startExecutor();
  hub = device.connect();
  deviceId = (await device.untilOnline()).device.id ?? '';
  traffic = count();
});
afterAll(async () => {
  stopping.abort();
  await traffic;
  hub.close();
});

async function count(): Promise<void> {
  for (; !stopping.signal.aborted; accepted += 1) {
    const payload = { samples: [{ series: SERIES, at: START_MS + accepted, value: accepted }] };
    await hub.enqueue([{ id: uuidv7(), type: 'telemetry', sentAt: Date.now(), payload }]);
    await sleep(SAMPLE_EVERY_MS);
  }
}

/** All that was accepted by now is at the server, once, and each order has ended well. */
async function recovered(): Promise<void> {
  orders.push((await server.api.command(deviceId, 'ping')).orderId);
  await device.untilOnline();
  const owed = accepted;
  const values = async () => (await server.api.samples(deviceId, SERIES)).map(({ value }) => Number(value));
  const all = await waitFor(
    async () => {
      const ofThese = (await values()).filter((value) => value < owed);
      return ofThese.length >= owed && ofThese;
    },
    { what: `${owed} samples` },
  );
  expect(all).toEqual(all.map((_, index) => index));
  for (const orderId of orders.splice(0)) {
    const order = await waitFor(
      async () => {
        const now = await server.api.order(orderId);
        return isTerminal(now.status) && now;
      },
      { what: `the end of ${orderId}` },
    );
    expect(order.status).toBe('succeeded');
  }
  expect(await server.api.deadLetters(deviceId)).toEqual([]);
}

/** Does harm until the link has ended by it. */
async function broken(act: () => void): Promise<void> {
  const connections = proxy.connections.length;
  act();
  await waitFor(() => proxy.connections.length > connections, { what: 'another connection' });
}

const newest = () => {
  const connection = proxy.connections.findLast(({ open }) => open);
  if (connection === undefined) throw new Error('no connection is open');
  return connection;
};

describe('gateway and server as they are shipped, with a bad network between them', () => {
  test.each(['up', 'down'] as const)(
    'when a frame on its way %s is cut, nothing is lost or doubled',
    async (way) => {
      for (let time = 0; time < 3; time += 1) {
        await broken(() => proxy.cutMidFrame(way));
        await recovered();
      }
    },
  );

  test.each(['up', 'down'] as const)(
    'when garbage comes %s, it costs the link and nothing else',
    async (way) => {
      for (let time = 0; time < 3; time += 1) {
        await broken(() => proxy.garbage(way, random.integer(16, 2048)));
        await recovered();
      }
    },
  );

  test('when only the server believes in the old connection, the new one takes its place', async () => {
    await broken(() => proxy.halfOpen('server'));
    await recovered();
  });

  test('when data of an older connection come after those of the newer, the server stores nothing of them', async () => {
    proxy.hold('up');
    const [before, held] = [accepted + 20, newest()];
    orders.push((await server.api.command(deviceId, 'ping')).orderId);
    await waitFor(() => accepted > before);
    let deliver = () => {};
    await broken(() => {
      deliver = proxy.strand();
      proxy.heal();
    });
    await recovered();
    const written = held.server.bytesWritten;
    deliver();
    await waitFor(() => held.server.bytesWritten > written);
    await recovered();
  });

  test('when all that a connection brought comes once more, it is refused', async () => {
    await broken(() => proxy.cut());
    await recovered();
    expect(await proxy.replay(newest())).toContain('HTTP/1.1 401');
    await recovered();
  });

  test('when all of it is over, the log of the server has each sample once and in the order of its lane', async () => {
    stopping.abort();
    await traffic;
    await recovered();
    await server.kill();
    const { producer } = await readArrivals(join(server.folder, 'state'), deviceId);
    const numbers = Array.from({ length: accepted }, (_, value) => value);
    expect(accountFor(numbers, producer)).toEqual({ accepted, lost: 0, duplicated: 0, outOfOrder: 0 });
  });
});
