import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import { AGENT_VERSION } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { isRunning, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

let folder: string;
let hubFolder: string;
let gateway: TestGateway | undefined;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  hubFolder = join(folder, 'hub');
  gateway = undefined;
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway?.close();
});

const environment = () => ({
  PATH: process.env['PATH'],
  BOWLINE_OTA_UPDATER__STATE_DIR: join(folder, 'state'),
  BOWLINE_OTA_UPDATER__HUB_FOLDER: hubFolder,
  BOWLINE_OTA_UPDATER__RELEASES_DIR: join(folder, 'releases'),
  BOWLINE_OTA_UPDATER__POLICY_FILE: join(folder, 'policy.json'),
  BOWLINE_OTA_UPDATER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
});
function startUpdater(env: Record<string, string> = {}): TestProcess {
  const child = startProcess(process.execPath, [MAIN], { env: { ...environment(), ...env } });
  children.push(child);
  return child;
}

describe('ota-updater as a process', () => {
  test('when it starts, it reports what runs, once for a boot and version', async () => {
    gateway = await openTestGateway(hubFolder);
    const first = startUpdater();
    await first.output(/"reported":true/);
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const second = startUpdater();
    await second.output(/"reported":false/);
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    expect(gateway.events.map(({ event }) => event)).toMatchObject([
      { kind: 'software.running', severity: 'info', data: { version: AGENT_VERSION, bootId } },
    ]);
  });

  test('when it is killed before the report was accepted, it is repeated with the same id', async () => {
    gateway = await openTestGateway(hubFolder, { accept: () => new Promise(() => {}) });
    const first = startUpdater();
    await waitFor(() => gateway?.events.length);
    await first.kill('SIGKILL');
    const [cutOff] = gateway.events;
    await gateway.close();
    gateway = await openTestGateway(hubFolder);
    const second = startUpdater();
    await second.output(/"reported":true/);
    expect(gateway.events.map(({ id }) => id)).toEqual([cutOff?.id]);
  });

  test('when the disk of the gateway is full, the report waits until it has room', async () => {
    let full = true;
    gateway = await openTestGateway(hubFolder, {
      accept: () => (full ? Promise.reject(new RejectedError('disk-full', 'full')) : Promise.resolve()),
    });
    const child = startUpdater();
    await waitFor(() => gateway?.events.length);
    full = false;
    await child.output(/"reported":true/);
  });

  test('when it registers, it takes orders of its type', async () => {
    gateway = await openTestGateway(hubFolder);
    startUpdater();
    const peer = await waitFor(() => gateway?.peers()[0]);
    expect(peer).toMatchObject({
      app: 'ota-updater',
      version: AGENT_VERSION,
      orderTypes: ['softwareUpdate'],
    });
  });

  test('when it looks for updates by a schedule, it tells how that stands, and looks at once when it is told to', async () => {
    gateway = await openTestGateway(hubFolder);
    const schedule = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`; // not while this test runs
    startUpdater({ BOWLINE_OTA_UPDATER__CHECK__SCHEDULE: schedule });
    const job = () => gateway?.jobs('ota-updater')?.[0];
    await waitFor(job);
    expect(job()).toMatchObject({ name: 'ota-check', schedule, state: 'waiting', runs: 0 });
    expect(job()?.nextAt).toBeGreaterThan(Date.now());
    await gateway.runJob('ota-updater', 'ota-check');
    await waitFor(() => job()?.succeededAt !== undefined);
    expect(job()).toMatchObject({ runs: 1, failures: 0, state: 'waiting' });
    await expect(gateway.runJob('ota-updater', 'nothing')).rejects.toMatchObject({ code: 'unknown-job' });
  });

  test('when the gateway is away, the app is ready all the same', async () => {
    const child = fork(MAIN, { env: environment(), stdio: 'ignore' });
    try {
      expect(await once(child, 'message')).toEqual(['ready', undefined]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('when it gets SIGTERM while the gateway is away, it ends with exit code 0', async () => {
    const child = startUpdater();
    await child.output(/starting/);
    await waitFor(() => readFileSync(join(folder, 'state', 'reported.json'), 'utf8'));
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('when others may write its folder, it stays up and says so', async () => {
    mkdirSync(join(folder, 'state'));
    chmodSync(join(folder, 'state'), 0o777);
    const child = startUpdater();
    await child.output(/state-folder-unsafe/);
    expect(isRunning(child.pid)).toBe(true);
  });
});
