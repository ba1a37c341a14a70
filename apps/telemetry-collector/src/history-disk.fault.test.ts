import { spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
import { call } from './testing/call.ts';
import { collectorCommand } from './testing/running-collector.ts';
import { openTestGateway, TestStore, type TestGateway } from './testing/test-gateway.ts';

const UNSHARE = ['--mount', '--map-root-user', '--propagation', 'private'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

const UNSHARE_AS_ROOT = ['--mount', '--propagation', 'private'];
/** An empty disk in a file. */
function makeDisk(folder: string): string {
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 16 * 2 ** 20);
  spawnSync('mkfs.ext4', ['-q', image]);
  return image;
}
/** ext4 alone can be made to refuse writes of files that are open, as it does when the card below it fails. */
const canFail =
  needs('e2fsprogs') &&
  spawnSync('unshare', [...UNSHARE_AS_ROOT, 'mount', '-o', 'loop', makeDisk(temporaryFolder()), '/mnt'])
    .status === 0;

let gateway: TestGateway | undefined;
let collector: TestProcess | undefined;
afterEach(async () => {
  await collector?.kill();
  await gateway?.close();
});

test.runIf(canMount)(
  'when the disk is full as it starts, samples are delivered all the same, and once there is room there is a history (needs mount namespaces)',
  async () => {
    const folder = temporaryFolder();
    const socketPath = join(folder, 'in/s');
    const store = new TestStore();
    gateway = await openTestGateway(join(folder, 'hub'), { store });
    const history = join(folder, 'state/history');
    mkdirSync(history, { recursive: true });
    // The other files of the collector are on a disk that has room.
    const command = collectorCommand(
      folder,
      `--ingest.socket=${socketPath}`,
      '--history.reserveBytes=0',
      '--history.commitMs=0',
      '--history.retryMs=1000',
    );
    const script = `mount -t tmpfs -o size=8m tmpfs ${history} && { cat /dev/zero > ${history}/filler 2>/dev/null; exec "$@"; }`;
    collector = startProcess('unshare', [...UNSHARE, 'sh', '-c', script, 'sh', ...command], {
      env: { PATH: process.env['PATH'] },
    });
    await collector.output(/no history yet/);
    await collector.output(/may hand in samples/);
    const send = async (value: number) => {
      const body = JSON.stringify({ series: 'level', at: 1_790_000_000_000 + value, value });
      const headers = { 'content-type': 'application/json' };
      expect((await call({ socketPath }, { path: '/v1/samples?durable=1', headers, body })).status).toBe(201);
    };
    await waitFor(() => gateway?.peers().length === 1);
    await send(1);
    expect(store.samples.map(({ value }) => value)).toEqual([1]);
    const order = {
      orderId: '01900000-0000-7000-8000-000000000001',
      type: 'historyRequest' as const,
      payload: { kind: 'telemetry', from: 0, to: 1_800_000_000_000 },
      state: 'received' as const,
      attempt: 0,
      receivedAt: 0,
    };
    await expect(gateway.ask('order', order)).rejects.toMatchObject({ code: 'history-refused' });

    const { pid } = collector;
    const inside = spawnSync('nsenter', ['-t', String(pid), '-U', '-m', 'rm', join(history, 'filler')]);
    expect(inside.status).toBe(0);
    await collector.output(/there is a history now/);
    await send(2);
    const asked = { series: 'level', from: 0, to: 1_800_000_000_000 };
    const { points } = await gateway.ask('localHistory', asked);
    expect(points.map((point) => point.value)).toEqual([2]);
    expect(gateway.jobs()?.map(({ name }) => name)).toContain('history-upload');
    await gateway.ask('order', order);
    await waitFor(() => store.reports.some(({ status }) => status === 'succeeded'));
  },
);

test.runIf(canMount)(
  'when the disk of all of its files is full, it runs and delivers, and refuses only what must be on its disk (needs mount namespaces)',
  async () => {
    const folder = temporaryFolder();
    const socketPath = join(folder, 'in/s');
    const store = new TestStore();
    gateway = await openTestGateway(join(folder, 'hub'), { store, serverTime: () => Date.now() });
    const state = join(folder, 'state');
    mkdirSync(state);
    // As after a restart of the machine: the lock was made long ago, and the clock belongs to another boot.
    const script = `mount -t tmpfs -o size=8m tmpfs ${state} && touch ${state}/lock && { cat /dev/zero > ${state}/filler 2>/dev/null; exec "$@"; }`;
    const command = collectorCommand(folder, `--ingest.socket=${socketPath}`, '--series.cpu.intervalMs=50');
    collector = startProcess('unshare', [...UNSHARE, 'sh', '-c', script, 'sh', ...command], {
      env: { PATH: process.env['PATH'] },
    });
    await collector.output(/may hand in samples/);
    const event = (headers: Record<string, string>) =>
      call(
        { socketPath },
        {
          path: '/v1/events',
          headers: { 'content-type': 'application/json', ...headers },
          body: '{"kind":"door"}',
        },
      );
    await waitFor(() => store.samples.length > 10);
    expect((await event({})).status).toBe(201);
    expect(await event({ 'idempotency-key': 'k' })).toMatchObject({
      status: 503,
      body: { code: 'keys-unwritable' },
    });
    const inside = spawnSync('nsenter', [
      '-t',
      String(collector.pid),
      '-U',
      '-m',
      'rm',
      join(state, 'filler'),
    ]);
    expect(inside.status).toBe(0);
    expect((await event({ 'idempotency-key': 'k' })).status).toBe(201);
    expect((await event({ 'idempotency-key': 'k' })).body).toMatchObject({ repeated: true });
    expect(await collector.kill('SIGTERM')).toMatchObject({ code: 0 });
  },
);

test.runIf(canFail)(
  'when the disk of all of its files turns read-only under it, it delivers, and shows and keeps what it had (needs root and loop devices)',
  async () => {
    const folder = temporaryFolder();
    const socketPath = join(folder, 'in/s');
    const store = new TestStore();
    const opened = await openTestGateway(join(folder, 'hub'), { store, serverTime: () => Date.now() });
    gateway = opened;
    const state = join(folder, 'state');
    mkdirSync(state);
    const image = makeDisk(folder);
    const start = async () => {
      const flags = [`--ingest.socket=${socketPath}`, '--history.commitMs=0', '--history.reserveBytes=0'];
      const script = `mount -o loop ${image} ${state} && exec "$@"`;
      const args = [...UNSHARE_AS_ROOT, 'sh', '-c', script, 'sh', ...collectorCommand(folder, ...flags)];
      const child = startProcess('unshare', args, { env: { PATH: process.env['PATH'] } });
      collector = child;
      await child.output(/may hand in samples/);
      await waitFor(() => opened.peers().length === 1);
      return child;
    };
    const post = async (path: string, body: object, headers = {}) => {
      const json = { 'content-type': 'application/json', ...headers };
      const answered = await call({ socketPath }, { path, headers: json, body: JSON.stringify(body) });
      return answered.body['code'] ?? answered.body['repeated'] ?? answered.status;
    };
    const level = (value: number, query = '?durable=1') =>
      post(`/v1/samples${query}`, { series: 'level', at: 1_790_000_000_000 + value, value });
    const event = (key?: string) =>
      post('/v1/events', { kind: 'door' }, key === undefined ? {} : { 'idempotency-key': key });
    const shown = async () => {
      const asked = { series: 'level', from: 0, to: 1_800_000_000_000 };
      return (await opened.ask('localHistory', asked)).points.map(({ value }) => value);
    };

    const first = await start();
    expect([await level(1), await event('before')]).toEqual([201, false]);
    expect(await shown()).toEqual([1]);
    const aborted = spawnSync('nsenter', [
      '-t',
      String(first.pid),
      '-m',
      'mount',
      '-o',
      'remount,abort',
      state,
    ]);
    expect(aborted.status).toBe(0);

    expect([await level(2), await level(3, '')]).toEqual([201, 202]);
    await waitFor(() => store.samples.length === 3);
    await first.output(/not recorded: .*; delivery goes on/);
    expect([await event(), await event('before'), await event('after')]).toEqual([
      false,
      true,
      'keys-unwritable',
    ]);
    expect(await shown()).toEqual([1]);
    const orderId = '01900000-0000-7000-8000-000000000001';
    const payload = { kind: 'telemetry', from: 0, to: 1_800_000_000_000 };
    await opened.ask('order', {
      orderId,
      type: 'historyRequest',
      payload,
      state: 'received',
      attempt: 0,
      receivedAt: 0,
    });
    const ended = await waitFor(() =>
      store.reports.find((report) => report.orderId === orderId && report.status !== 'started'),
    );
    expect(ended.status).toBe('failed');
    await opened.ask('runJob', { job: 'history-upload' });
    expect(await level(4)).toBe(201);
    expect(await first.kill('SIGTERM')).toMatchObject({ code: 0 });

    await waitFor(() => opened.peers().length === 0);
    await start();
    expect([await level(5), await event('before'), await event('after')]).toEqual([201, true, false]);
    expect(await shown()).toEqual([1, 5]);
  },
);
