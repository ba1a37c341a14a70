import type { HubClient } from '@bowline/ipc';
import {
  ENQUEUED_TYPES,
  HUB_APPS,
  MESSAGE_TYPES_OF,
  type EnqueuedType,
  type HubApp,
} from '@bowline/messages/hub/apps';
import { waitFor } from '@bowline/testing';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayUnderTest } from '../test-kit/gateway.ts';

type Enqueued = Parameters<HubClient['enqueue']>[0][number];

const at = Date.now();
const PAYLOADS = {
  telemetry: { samples: [{ series: 'test.value', at, value: 1 }] },
  event: { kind: 'tested', severity: 'info', at, data: {} },
  configReport: { version: 1, status: 'applied' },
  gap: { lane: 'telemetry', count: 1, reason: 'overflow' },
  history: { orderId: uuidv7(), part: 0, last: true, encoding: 'json', data: '[]' },
};
const message = (type: Enqueued['type']) =>
  ({ id: uuidv7(), type, sentAt: at, payload: PAYLOADS[type] }) as Enqueued;

let gateway: GatewayUnderTest;
let cli: HubClient;
beforeAll(async () => {
  gateway = new GatewayUnderTest(await FakeCloud.start());
  await gateway.start().output(/"message":"online"/);
  cli = await gateway.app('cli');
});
afterAll(async () => {
  cli.close();
  await gateway.kill();
});
const refused = async () => (await cli.request('status', {})).counters['hub.message-type-not-allowed'] ?? 0;

/** Who may say what: written out, so that a slip in the table shows. */
const EXPECTED: Record<HubApp, readonly EnqueuedType[]> = {
  'command-executor': ['event', 'history'],
  'telemetry-collector': ['telemetry', 'history', 'gap', 'event'],
  'ota-updater': ['event'],
  'ssh-broker': ['event'],
  cli: ['telemetry'],
};

describe('what an app may hand over', () => {
  it('when somebody changes the table, this test has to agree', () => {
    expect(MESSAGE_TYPES_OF).toEqual(EXPECTED);
  });

  it.each(HUB_APPS)('when %s hands over what is its own, it is stored', async (app) => {
    const client = await gateway.app(app);
    const before = await refused();
    for (const type of EXPECTED[app]) await client.enqueue([message(type)]);
    expect(await refused()).toBe(before);
    client.close();
  });

  it.each(
    HUB_APPS.flatMap((app) =>
      ENQUEUED_TYPES.filter((type) => !EXPECTED[app].includes(type)).map((type) => ({ app, type })),
    ),
  )('when $app hands over a message of type $type, it is refused and counted', async ({ app, type }) => {
    const client = await gateway.app(app);
    const before = await refused();
    await expect(client.enqueue([message(type)])).rejects.toMatchObject({
      name: 'RejectedError',
      code: 'message-type-not-allowed',
      message: expect.stringContaining(`${app} may not hand over messages of type ${type}`),
    });
    expect(await refused()).toBe(before + 1);
    client.close();
  });

  it('when one message of a call is not its own, nothing of the call is stored', async () => {
    const client = await gateway.app('ssh-broker');
    const waiting = async () => (await cli.request('status', {})).queue.lanes['events']?.ledger.accepted;
    const before = await waiting();
    await expect(client.enqueue([message('event'), message('telemetry')])).rejects.toMatchObject({
      code: 'message-type-not-allowed',
    });
    expect(await waiting()).toBe(before);
    client.close();
  });

  it('when an app registers for the orders of another, that is refused and counted', async () => {
    let thief: HubClient | undefined;
    gateway.app('ssh-broker', ['command'], (client) => (thief = client)).catch(() => undefined);
    const counters = async () => (await cli.request('status', {})).counters;
    await waitFor(async () => ((await counters())['hub.foreign-registrations'] ?? 0) > 0);
    expect(thief?.connected).toBe(false);
    thief?.close();
  });
});
