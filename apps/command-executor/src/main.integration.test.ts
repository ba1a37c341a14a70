import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_VERSION } from '@bowline/runtime';
import { isRunning, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTestGateway, type HandedOrder, type TestGateway } from './testing/test-gateway.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

let folder: string;
let hubFolder: string;
let policyFile: string;
let gateway: TestGateway | undefined;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  hubFolder = join(folder, 'hub');
  policyFile = join(folder, 'policy.json');
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway?.close();
  gateway = undefined;
});

const environment = () => ({
  PATH: process.env['PATH'],
  BOWLINE_COMMAND_EXECUTOR__STATE_DIR: join(folder, 'state'),
  BOWLINE_COMMAND_EXECUTOR__HUB_FOLDER: hubFolder,
  BOWLINE_COMMAND_EXECUTOR__POLICY_FILE: policyFile,
  BOWLINE_COMMAND_EXECUTOR__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
});
function startExecutor(): TestProcess {
  const child = startProcess(process.execPath, [MAIN], { env: environment() });
  children.push(child);
  return child;
}
const order = (payload: Record<string, unknown>, fields: Partial<HandedOrder> = {}): HandedOrder => ({
  orderId: uuidv7(),
  type: 'command',
  payload,
  state: 'received',
  attempt: 0,
  receivedAt: Date.now(),
  ...fields,
});
const statusesOf = ({ reports }: TestGateway, { orderId }: HandedOrder) =>
  reports.filter((report) => report.orderId === orderId).map(({ status }) => status);

describe('command-executor as a process', () => {
  test('when a ping is handed over, started and then its result are reported', async () => {
    gateway = await openTestGateway(hubFolder);
    startExecutor();
    const ping = order({ name: 'ping' });
    await gateway.hand(ping);
    const { result } = await gateway.reported(ping.orderId, 'succeeded');
    expect(result).toMatchObject({ pong: true, at: expect.any(Number), uptimeSeconds: expect.any(Number) });
    expect(statusesOf(gateway, ping)).toEqual(['started', 'succeeded']);
    expect(gateway.peers()).toMatchObject([
      { app: 'command-executor', version: AGENT_VERSION, orderTypes: ['command'] },
    ]);
  });

  test('when the gateway is away, the app is ready all the same', async () => {
    const child = fork(MAIN, { env: environment(), stdio: 'ignore' });
    try {
      expect(await once(child, 'message')).toEqual(['ready', undefined]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('when the gateway restarts before it has the result, the new one gets it and nothing runs twice', async () => {
    let sent = () => {};
    const succeededSent = new Promise<void>((resolve) => (sent = resolve));
    gateway = await openTestGateway(hubFolder, {
      onReport: ({ status }) => {
        if (status !== 'succeeded') return Promise.resolve();
        sent();
        return new Promise(() => {});
      },
    });
    startExecutor();
    const ping = order({ name: 'ping' });
    await gateway.hand(ping);
    await succeededSent;
    await gateway.close();

    gateway = await openTestGateway(hubFolder);
    await gateway.reported(ping.orderId, 'succeeded');
    expect(statusesOf(gateway, ping)).toEqual(['succeeded']);
  });

  test.each(['started', 'succeeded'] as const)(
    'when it is killed while %s is on its way to the disk, an idempotent command runs again as the second attempt',
    async (cutOff) => {
      gateway = await openTestGateway(hubFolder, {
        onReport: ({ status }) => (status === cutOff ? new Promise(() => {}) : Promise.resolve()),
      });
      const first = startExecutor();
      const ping = order({ name: 'ping' });
      await gateway.hand(ping);
      await gateway.reported(ping.orderId, cutOff);
      await first.kill('SIGKILL');
      await gateway.close();

      gateway = await openTestGateway(hubFolder);
      startExecutor();
      await gateway.hand({ ...ping, state: 'started', attempt: 1 });
      await gateway.reported(ping.orderId, 'succeeded');
      expect(gateway.reports.map(({ status, attempt }) => [status, attempt])).toEqual([
        ['started', 2],
        ['succeeded', undefined],
      ]);
    },
  );

  test('when an order is refused, the reason is told and it never starts', async () => {
    gateway = await openTestGateway(hubFolder);
    writeFileSync(policyFile, '{"commands":{"ping":{}}}', { mode: 0o600 });
    startExecutor();
    const refused = [
      order({ name: 'listCommands' }),
      order({ name: 'ping', params: { loud: true } }),
      order({ name: 'selfDestruct' }),
      order({ name: 7 }),
    ];
    for (const each of refused) await gateway.hand(each);
    const errors = [];
    for (const { orderId } of refused) errors.push((await gateway.reported(orderId, 'rejected')).error);
    expect(errors).toMatchObject([
      { code: 'not-allowed', message: expect.stringContaining(policyFile) },
      { code: 'invalid-params', message: expect.stringContaining('loud') },
      { code: 'unknown-command' },
      { code: 'invalid', message: expect.stringContaining('payload/name') },
    ]);
    expect(gateway.reports.length).toBe(refused.length);
  });

  test('when the policy file is edited, the next order is judged by it', async () => {
    gateway = await openTestGateway(hubFolder);
    startExecutor();
    writeFileSync(policyFile, '{"commands":{}}', { mode: 0o600 });
    const before = order({ name: 'ping' });
    await gateway.hand(before);
    await gateway.reported(before.orderId, 'rejected');
    writeFileSync(policyFile, '{"commands":{"ping":{}}}');
    const after = order({ name: 'ping' });
    await gateway.hand(after);
    await gateway.reported(after.orderId, 'succeeded');
  });

  test('when the policy file is broken, the default is in force, and log and operators hear of it', async () => {
    gateway = await openTestGateway(hubFolder);
    writeFileSync(policyFile, '{"comands":{"reboot":{}}}', { mode: 0o600 });
    const child = startExecutor();
    const ping = order({ name: 'ping' });
    await gateway.hand(ping);
    await gateway.reported(ping.orderId, 'succeeded');
    await child.output(/did you mean \\"commands\\"/);
    await waitFor(() => gateway?.events.includes('policy-broken'), { what: 'the event' });
  });

  test('when an order has an expiry, it waits for the time of the server and then counts by it', async () => {
    gateway = await openTestGateway(hubFolder);
    startExecutor();
    // Far from this machine's clock: only the server's time decides.
    const serverTime = 1_000_000;
    const late = order({ name: 'ping', expiresAt: serverTime });
    const early = order({ name: 'ping', expiresAt: serverTime + 3_600_000 });
    await gateway.hand(late);
    await gateway.hand(early);
    expect(gateway.reports).toEqual([]);
    await gateway.hand({ ...late, serverTime });
    await gateway.reported(late.orderId, 'expired');
    await gateway.reported(early.orderId, 'succeeded');
  });

  test('when a second copy is started, it stands by and takes over when the first is gone', async () => {
    gateway = await openTestGateway(hubFolder);
    const first = startExecutor();
    await waitFor(() => gateway?.peers()[0]?.pid === first.pid);
    const second = startExecutor();
    await second.output(/standing by/);
    expect(gateway.peers().map(({ pid }) => pid)).toEqual([first.pid]);
    await first.kill('SIGKILL');
    await waitFor(() => gateway?.peers()[0]?.pid === second.pid);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('when it gets %s, it ends with exit code 0', async (signal) => {
    gateway = await openTestGateway(hubFolder);
    const child = startExecutor();
    await waitFor(() => gateway?.peers().length);
    expect(await child.kill(signal)).toEqual({ code: 0, signal: null });
  });

  test('when it gets SIGTERM without a gateway, it ends with exit code 0', async () => {
    const child = startExecutor();
    await child.output(/hub-away|hub-folder|socket/);
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('when its configuration is wrong, it stays up and names the key', async () => {
    const child = startProcess(process.execPath, [MAIN, '--resultBytes=0'], { env: environment() });
    children.push(child);
    await child.output(/"misconfigured".*resultBytes/);
    expect(isRunning(child.pid)).toBe(true);
  });

  test('when it logs about an order, the line is JSON and names the order', async () => {
    gateway = await openTestGateway(hubFolder);
    const child = startExecutor();
    const ping = order({ name: 'ping' });
    await gateway.hand(ping);
    await gateway.reported(ping.orderId, 'succeeded');
    await child.output(new RegExp(`${ping.orderId}.*succeeded`));
    const lines = child.stdout().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ app: 'command-executor', orderId: ping.orderId, command: 'ping' }),
    );
  });
});
