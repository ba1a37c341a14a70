import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, signClaims, signTrustBundle, writeTrustAnchor, type SigningKey } from '@bowline/identity';
import type { SignedCommand, TrustBundle } from '@bowline/messages';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openTestGateway, type HandedOrder, type Report, type TestGateway } from './testing/test-gateway.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
/** Far from this machine's clock: only the server's time decides. */
const SERVER_TIME = 1_000_000_000_000;
const EXP = SERVER_TIME / 1000 + 600;

let root: SigningKey;
let commandKey: SigningKey;
let updateKey: SigningKey;
beforeAll(async () => {
  [root, commandKey, updateKey] = (await Promise.all([createKey(), createKey(), createKey()])) as [
    SigningKey,
    SigningKey,
    SigningKey,
  ];
});

let folder: string;
let gateway: TestGateway;
let executor: TestProcess;
beforeEach(async () => {
  folder = temporaryFolder();
  const policy = { commands: { ping: { signed: true, params: {} } } };
  writeFileSync(join(folder, 'policy.json'), JSON.stringify(policy), { mode: 0o600 });
  writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
  await openGateway();
  startExecutor();
});
afterEach(async () => {
  await executor.kill();
  await gateway.close();
});

/** What the gateway of this device, honest or captured, does; a new one takes over from the one before. */
async function openGateway(options: Parameters<typeof openTestGateway>[1] = {}): Promise<void> {
  gateway = await openTestGateway(join(folder, 'hub'), {
    serverTime: SERVER_TIME,
    deviceId: 'd1',
    groups: ['kitchen'],
    bundles: [await bundleOf(1)],
    ...options,
  });
}
function startExecutor(): void {
  executor = startProcess(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      BOWLINE_COMMAND_EXECUTOR__STATE_DIR: join(folder, 'state'),
      BOWLINE_COMMAND_EXECUTOR__HUB_FOLDER: join(folder, 'hub'),
      BOWLINE_COMMAND_EXECUTOR__POLICY_FILE: join(folder, 'policy.json'),
      BOWLINE_COMMAND_EXECUTOR__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
    },
  });
}
async function bundleOf(version: number, change: Partial<TrustBundle['keys']> = {}, by = [root]) {
  const keys = {
    root: [root.publicJwk],
    update: [updateKey.publicJwk],
    access: [],
    command: [commandKey.publicJwk],
    ...change,
  };
  return { version, jws: await signTrustBundle({ version, keys, threshold: 1 }, by) };
}
const handed = (payload: Record<string, unknown>, change: Partial<HandedOrder> = {}): HandedOrder => ({
  orderId: uuidv7(),
  type: 'command',
  payload,
  state: 'received',
  attempt: 0,
  receivedAt: 0,
  serverTime: SERVER_TIME,
  ...change,
});
async function signedOrder(change: Partial<SignedCommand> = {}, key = commandKey): Promise<HandedOrder> {
  const orderId = uuidv7();
  const claims = { orderId, aud: 'd1', name: 'ping', exp: EXP, ...change };
  return handed({ signed: await signClaims('command', key, claims) }, { orderId });
}
/** Hands it over and waits for its end. */
async function outcome(order: HandedOrder): Promise<Report> {
  await gateway.hand(order);
  const ends = ['succeeded', 'failed', 'rejected', 'expired', 'indeterminate'];
  return waitFor(
    () => gateway.reports.find(({ orderId, status }) => orderId === order.orderId && ends.includes(status)),
    { what: `the end of ${order.orderId}` },
  );
}
const rejected = (code: string) => ({ status: 'rejected', error: { code } });

describe('a command that needs a signature', () => {
  test('when a command key signed it, it runs', async () => {
    expect(await outcome(await signedOrder())).toMatchObject({ status: 'succeeded' });
    expect(await outcome(await signedOrder({ aud: 'group:kitchen' }))).toMatchObject({ status: 'succeeded' });
  });

  test('when a captured server or gateway gives it without a good signature, it is rejected by the exact rule', async () => {
    const stranger = await createKey();
    expect(await outcome(handed({ name: 'ping' }))).toMatchObject({
      ...rejected('signature-needed'),
      error: { message: expect.stringContaining('/commands/ping/signed') },
    });
    expect(await outcome(await signedOrder({}, stranger))).toMatchObject(rejected('unknown-signer'));
    expect(await outcome(await signedOrder({}, updateKey))).toMatchObject(rejected('wrong-role'));
    expect(await outcome(await signedOrder({ aud: 'd2' }))).toMatchObject(rejected('wrong-audience'));
    expect(await outcome(await signedOrder({ exp: SERVER_TIME / 1000 - 1 }))).toMatchObject(
      rejected('signature-expired'),
    );
    const { payload } = await signedOrder();
    expect(await outcome(handed(payload))).toMatchObject(rejected('wrong-order'));
    expect(await outcome(handed({ ...payload, params: { more: true } }))).toMatchObject(
      rejected('wrong-order'),
    );
    const widened = await signedOrder();
    expect(
      await outcome({ ...widened, payload: { ...widened.payload, params: { more: true } } }),
    ).toMatchObject(rejected('invalid'));
  });

  test('when a captured gateway forges a bundle, it is refused, reported, and its keys count for nothing', async () => {
    const thief = await createKey();
    gateway.bundles.push(await bundleOf(2, { root: [thief.publicJwk], command: [thief.publicJwk] }, [thief]));
    expect(await outcome(await signedOrder({}, thief))).toMatchObject(rejected('unknown-signer'));
    expect(await outcome(await signedOrder())).toMatchObject({ status: 'succeeded' });
    await waitFor(() => gateway.events.includes('trust-refused'), { what: 'the alarm' });
  });

  test('when the bundle is rotated, the old key counts no more, and no older bundle brings it back', async () => {
    const next = await createKey();
    const first = gateway.bundles[0];
    gateway.bundles.push(await bundleOf(2, { command: [next.publicJwk] }));
    expect(await outcome(await signedOrder({}, next))).toMatchObject({ status: 'succeeded' });
    expect(await outcome(await signedOrder())).toMatchObject(rejected('unknown-signer'));

    await gateway.close();
    await openGateway({ bundles: first === undefined ? [] : [{ ...first, version: 99 }] });
    await executor.kill();
    startExecutor();
    expect(await outcome(await signedOrder())).toMatchObject(rejected('unknown-signer'));
    await waitFor(() => gateway.events.includes('trust-refused'), { what: 'the alarm' });
  });

  test('when a captured gateway says that this is another device, what was signed for that one does not run', async () => {
    expect(await outcome(await signedOrder())).toMatchObject({ status: 'succeeded' });
    await gateway.close();
    await openGateway({ deviceId: 'd2', groups: ['cellar'] });
    for (const aud of ['d2', 'group:cellar'])
      expect(await outcome(await signedOrder({ aud }))).toMatchObject(rejected('wrong-audience'));
    await waitFor(() => gateway.events.includes('device-id-changed'), { what: 'the alarm' });
  });

  test('when the server was not heard yet, it waits to be offered again', async () => {
    const order = await signedOrder();
    await gateway.close();
    gateway = await openTestGateway(join(folder, 'hub'), { deviceId: 'd1', bundles: [await bundleOf(1)] });
    await executor.kill();
    startExecutor();
    const { serverTime: _, ...untimed } = order;
    await expect(gateway.hand(untimed)).rejects.toMatchObject({ code: 'no-server-time', retryable: true });
    expect(await outcome(order)).toMatchObject({ status: 'succeeded' });
  });
});

describe('a signature is good once', () => {
  test('when it has run and the gateway hands it over again, in any state, it does not run', async () => {
    const order = await signedOrder();
    await outcome(order);
    gateway.reports.length = 0;
    expect(await outcome(order)).toMatchObject(rejected('replayed'));
    gateway.reports.length = 0;
    expect(await outcome({ ...order, state: 'started', attempt: 1 })).toMatchObject({
      status: 'indeterminate',
      error: { code: 'replayed' },
    });
    expect(gateway.reports.some(({ status }) => status === 'started')).toBe(false);
  });

  test('when the executor is killed after it ran, a replay is still refused', async () => {
    const order = await signedOrder();
    await outcome(order);
    await executor.kill('SIGKILL');
    gateway.reports.length = 0;
    startExecutor();
    expect(await outcome(order)).toMatchObject(rejected('replayed'));
  });

  test('when it is killed before anything began, the same order goes on', async () => {
    await gateway.close();
    await openGateway({
      onReport: ({ status }) => (status === 'started' ? new Promise(() => {}) : Promise.resolve()),
    });
    const order = await signedOrder();
    await gateway.hand(order);
    await gateway.reported(order.orderId, 'started');
    await executor.kill('SIGKILL');
    await gateway.close();
    await openGateway();
    startExecutor();
    expect(await outcome(order)).toMatchObject({ status: 'succeeded' });
  });

  test('when it is killed after it ended and before that was reported, the same outcome is reported', async () => {
    await gateway.close();
    await openGateway({
      onReport: ({ status }) => (status === 'succeeded' ? new Promise(() => {}) : Promise.resolve()),
    });
    const order = await signedOrder();
    await gateway.hand(order);
    const lost = await gateway.reported(order.orderId, 'succeeded');
    await executor.kill('SIGKILL');
    await gateway.close();
    await openGateway();
    startExecutor();
    const { result } = await outcome({ ...order, state: 'started', attempt: 1 });
    expect(result).toEqual(lost.result);
    expect(gateway.reports.map(({ status }) => status)).toEqual(['succeeded']);
  });

  test('when the policy refused it, a gateway that keeps it gets nothing by it once the policy is wider', async () => {
    const order = await signedOrder({ name: 'listCommands' });
    expect(await outcome(order)).toMatchObject(rejected('not-allowed'));
    const policy = { commands: { ping: { signed: true }, listCommands: { signed: true } } };
    writeFileSync(join(folder, 'policy.json'), JSON.stringify(policy), { mode: 0o600 });
    gateway.reports.length = 0;
    expect(await outcome(order)).toMatchObject({ status: 'rejected' });
    await executor.kill('SIGKILL');
    startExecutor();
    gateway.reports.length = 0;
    expect(await outcome(order)).toMatchObject({ status: 'rejected' });
    expect(await outcome(await signedOrder({ name: 'listCommands' }))).toMatchObject({ status: 'succeeded' });
  });

  test('when its trust bundle or its record of signatures is taken away, that is told and nothing gets wider', async () => {
    const order = await signedOrder();
    await outcome(order);
    const first = gateway.bundles[0];
    gateway.bundles.push(await bundleOf(2, { command: [] }));
    expect(await outcome(await signedOrder())).toMatchObject(rejected('unknown-signer'));
    await executor.kill('SIGKILL');
    rmSync(join(folder, 'state/trust.json'));
    gateway.bundles.splice(0, 2, ...(first === undefined ? [] : [first]));
    startExecutor();
    await waitFor(() => gateway.events.includes('trust-lost'), { what: 'the alarm' });
    expect(await outcome(await signedOrder())).toMatchObject(rejected('bundle-rollback'));

    gateway.bundles.push(await bundleOf(3));
    await executor.kill('SIGKILL');
    rmSync(join(folder, 'state/spent-orders.db'));
    startExecutor();
    await waitFor(() => gateway.events.includes('spent-orders-lost'), { what: 'the alarm' });
    gateway.reports.length = 0;
    expect(await outcome(order)).toMatchObject(rejected('issued-before-loss'));
  });

  test('when it is handed over again after its signature expired, it is answered by how it ended, not by the time', async () => {
    const later = { serverTime: (EXP + 60) * 1000 };
    const told = await signedOrder();
    await outcome(told);
    gateway.reports.length = 0;
    expect(await outcome({ ...told, ...later })).toMatchObject(rejected('replayed'));

    await gateway.close();
    await openGateway({
      onReport: ({ status }) => (status === 'succeeded' ? new Promise(() => {}) : Promise.resolve()),
    });
    const order = await signedOrder();
    await gateway.hand(order);
    await gateway.reported(order.orderId, 'succeeded');
    await executor.kill('SIGKILL');
    await gateway.close();
    await openGateway();
    startExecutor();
    expect(await outcome({ ...order, ...later, state: 'started', attempt: 1 })).toMatchObject({
      status: 'succeeded',
    });
  });
});
