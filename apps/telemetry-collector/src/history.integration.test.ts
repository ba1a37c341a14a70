import { join } from 'node:path';
import { ContractError, TransientError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call } from './testing/call.ts';
import { startCollector } from './testing/running-collector.ts';
import {
  openTestGateway,
  TestStore,
  type TestGateway,
  type TestGatewayOptions,
} from './testing/test-gateway.ts';

let folder: string;
let store: TestStore;
let gateway: TestGateway;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  store = new TestStore();
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway.close();
});

const open = async (options: Partial<TestGatewayOptions> = {}) => {
  gateway = await openTestGateway(join(folder, 'hub'), { store, ...options });
};
const socketPath = () => join(folder, 'in/ingest.sock');
/** Spills as soon as the link is away, records at once. */
function launch(...flags: string[]): TestProcess {
  const child = startCollector(
    folder,
    `--ingest.socket=${socketPath()}`,
    '--history.spillAfterMs=1',
    '--history.commitMs=0',
    '--history.reserveBytes=0',
    '--history.uploadJitterMs=0',
    ...flags,
  );
  children.push(child);
  return child;
}
async function start(...flags: string[]): Promise<TestProcess> {
  const child = launch(...flags);
  await child.output(/may hand in samples/);
  await waitFor(() => gateway.peers().length > 0);
  return child;
}
const AT = 1_790_000_000_000;
const send = async (from: number, count: number) => {
  const body = JSON.stringify(
    Array.from({ length: count }, (_, index) => ({
      series: 'level',
      at: AT + 1000 * (from + index),
      value: from + index,
    })),
  );
  const headers = { 'content-type': 'application/json' };
  expect((await call({ socketPath: socketPath() }, { path: '/v1/samples', headers, body })).status).toBe(202);
};
const values = () => store.samples.map(({ value }) => value);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const local = (more: object = {}) =>
  gateway.ask('localHistory', { series: 'level', from: AT, to: AT + 86_400_000, ...more });

describe('local history', () => {
  test('when one sample that only it has is refused for good, that one is given up, and all others arrive', async () => {
    await open({
      link: 'offline',
      accept: ({ messages }) => {
        if (JSON.stringify(messages).includes('"value":17')) throw new ContractError('invalid', 'it is 17');
      },
    });
    await start();
    await send(0, 50);
    gateway.linkIs('online');
    await waitFor(() => store.samples.length === 49 && store.gaps.length === 1);
    expect(values()).toEqual(upTo(50).filter((value) => value !== 17));
    expect(store.gaps).toMatchObject([{ series: 'level', count: 1, fromAt: AT + 17_000 }]);
  });

  test('when samples are accepted, the gateway gets them and the history has them, too', async () => {
    await open();
    await start();
    await send(0, 100);
    await waitFor(() => store.samples.length === 100);
    const { points } = await local();
    expect(points).toEqual(upTo(100).map((n) => ({ at: AT + 1000 * n, value: n })));
    expect((await gateway.ask('localHistory', { from: 0, to: 1 })).names).toEqual(['level']);
    const minutes = await local({ resolutionMs: 60_000 });
    expect(minutes.points.reduce((sum, { count = 0 }) => sum + count, 0)).toBe(100);
    expect(store.past).toBe(0);
  });

  test('when the cloud is away for long, samples stay in the history, and come on lane history once it is back', async () => {
    await open({ link: 'offline' });
    await start();
    await waitFor(async () => {
      await send(0, 1);
      return (await local()).points.length > 0 && store.samples.length === 0;
    });
    store.samples.length = 0;
    await send(1, 499);
    expect((await local()).points.length).toBeGreaterThanOrEqual(500);
    expect(store.samples).toEqual([]);
    gateway.linkIs('online');
    await waitFor(() => store.past >= 500, { what: 'the upload' });
    expect([...new Set(values())]).toEqual(upTo(500));
    await send(500, 1);
    await waitFor(() => values().includes(500));
    await waitFor(() => gateway.jobs()?.[0]?.succeededAt !== undefined);
    expect(gateway.jobs()).toMatchObject([{ name: 'history-upload', state: 'waiting', failures: 0 }]);
  });

  test('when the cloud is away, an upload with something to send has not succeeded, and says why', async () => {
    await open({ link: 'offline' });
    await start();
    await gateway.ask('runJob', { job: 'history-upload' });
    await waitFor(() => gateway.jobs()?.[0]?.succeededAt !== undefined, { what: 'nothing to send' });
    await send(0, 10);
    await waitFor(async () => (await local()).points.length === 10);
    await gateway.ask('runJob', { job: 'history-upload' });
    await waitFor(() => gateway.jobs()?.[0]?.failures === 1);
    expect(gateway.jobs()?.[0]?.lastError).toBe('offline: the cloud is away');
  });

  test('when it is killed while the cloud is away, and again while it uploads, everything recorded arrives', async () => {
    let waiting = 1_000_000;
    await open({ link: 'offline', waiting: () => waiting });
    let child = await start('--telemetry.batchSamples=50');
    await send(0, 2000);
    await waitFor(async () => (await local()).points.length === 2000);
    await child.kill();
    await gateway.close();
    // It may have handed over the first ones before it knew that the cloud was away for long.
    const before = store.samples.length;
    await open({ waiting: () => waiting });
    child = await start('--telemetry.batchSamples=50');
    await waitFor(() => gateway.jobs()?.[0]?.state === 'running', { what: 'the upload waits for room' });
    expect(store.samples.length).toBe(before);
    waiting = 0;
    await waitFor(() => store.samples.length > before);
    await child.kill();
    await start('--telemetry.batchSamples=50');
    await waitFor(() => new Set(values()).size === 2000, { what: 'all samples' });
  });

  test.each([
    ['once the gateway has the first part and before it has said so', 0, false],
    ['between two parts of a block', 2, true],
    ['once the gateway has all of a block and before that is noted', 3, false],
  ])('when it is killed %s, everything recorded arrives under its times', async (_, killAt, isRefused) => {
    await open({ link: 'offline' });
    const flags = ['--telemetry.batchSamples=50'];
    const child = await start(...flags);
    await send(0, 1);
    // From here on they stay in the history.
    await waitFor(async () => (await local()).points.length === 1);
    await send(1, 199);
    await waitFor(async () => (await local()).points.length === 200);
    await child.kill();
    await gateway.close();

    let parts = 0;
    let killing: Promise<unknown> | undefined;
    await open({
      accept: ({ past }) => {
        if (past !== true || killing !== undefined) return;
        if (parts === killAt) {
          killing = children.at(-1)?.kill('SIGKILL');
          if (isRefused) throw new TransientError('busy', 'killed');
        }
        parts += 1;
      },
    });
    // It may come that far before anybody here has noticed that it runs.
    launch(...flags);
    await waitFor(() => killing !== undefined, { what: 'the upload to come that far' });
    await killing;
    await start(...flags);
    await waitFor(() => new Set(values()).size === 200, { what: 'all samples' });
    await waitFor(
      () => gateway.jobs()?.[0]?.state === 'waiting' && gateway.jobs()?.[0]?.lastError === undefined,
    );
    // What comes twice has the same moment: the server has it once (protocol, section 3).
    expect(new Set(store.samples.map(({ at, value }) => `${at} ${String(value)}`)).size).toBe(200);
    expect(store.gaps).toEqual([]);
    expect((await local()).points).toHaveLength(200);
  });

  test('when the server says that it is 2099, nothing of the history is too old for that', async () => {
    await open({ serverTime: () => Date.UTC(2099, 0, 1) });
    await start('--history.sealSamples=1000');
    const from = Date.now() - 3_600_000;
    const hand = async (first: number, count: number) => {
      const body = JSON.stringify(
        upTo(count).map((n) => ({ series: 'level', at: from + first + n, value: first + n })),
      );
      const headers = { 'content-type': 'application/json' };
      expect((await call({ socketPath: socketPath() }, { path: '/v1/samples', headers, body })).status).toBe(
        202,
      );
    };
    const points = async () => (await local({ from, to: from + 3_600_000 })).points;
    // Blocks are made of the first ones, and room; then of those that came next.
    await hand(0, 1000);
    await waitFor(async () => (await points()).length > 0);
    await hand(1000, 1000);
    await waitFor(async () => (await points()).some(({ value }) => value === 1999));
    expect((await points()).map(({ value }) => value)).toEqual(upTo(2000));
  });

  test('when a job is to run now, it does; one that there is not is refused', async () => {
    await open();
    await start();
    const hasRun = (runs: number) =>
      gateway.jobs()?.[0]?.runs === runs && gateway.jobs()?.[0]?.state === 'waiting';
    await waitFor(() => hasRun(1), { what: 'the upload after the start' });
    await gateway.ask('runJob', { job: 'history-upload' });
    await waitFor(() => hasRun(2));
    await expect(gateway.ask('runJob', { job: 'nothing' })).rejects.toMatchObject({ code: 'unknown-job' });
  });
});
