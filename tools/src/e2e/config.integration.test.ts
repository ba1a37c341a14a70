import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { killByPid, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { TestFleet } from './test-fleet.ts';

let fleet: TestFleet;
let folder: string;
beforeAll(async () => {
  fleet = await TestFleet.make();
  folder = temporaryFolder();
  await fleet.startServer();
  await fleet.prepareDevice();
  await fleet.startDevice();
  await fleet.untilOnline();
});

async function bowline(...args: string[]): Promise<{ code: number | null; out: string }> {
  const main = join(WORKSPACE, 'apps/cli/dist/main.js');
  const child = startProcess(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1', ...fleet.operatorEnv },
  });
  const { code } = await child.exited;
  return { code, out: child.stdout() + child.stderr() };
}

async function push(sections: object, ...more: string[]) {
  const file = join(folder, 'document.json');
  writeFileSync(file, JSON.stringify(sections));
  return bowline('fleet', 'config', 'push', DEVICE_ID, file, ...more);
}

const uptimeEvery = (intervalMs: number) => ({ series: { uptime: { intervalMs } } });
/** The value in force on the device, and where it comes from. */
async function inForce(app: string, key: string) {
  await waitFor(() => fleet.hub.connected, { what: 'the hub' });
  const { apps } = await fleet.hub.request('config', {});
  const entry = apps[app]?.view?.entries.find((each) => each.key === key);
  return entry && [entry.value, entry.source];
}
const settings = async () => (await fleet.api.device(DEVICE_ID)).config;

test('when a document is pushed, the real apps take it while they run, and the server sees no drift', async () => {
  const pids = await fleet.pids();
  const pushed = await push({
    'telemetry-collector': uptimeEvery(200),
    'command-executor': { logLevel: 'debug' },
    'ws-gateway': { logLevel: 'debug' },
  });
  expect(pushed).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') });
  const count = async () => (await fleet.api.samples(DEVICE_ID, 'system.uptime')).length;
  const before = await count();
  // One a minute by default.
  await waitFor(async () => (await count()) > before + 5, { what: 'samples at the new pace' });
  await fleet.api.command(DEVICE_ID, 'ping');
  await waitFor(() => fleet.log('ws-gateway').includes('"level":"debug"'), { what: 'the new log level' });
  expect(await inForce('command-executor', 'logLevel')).toEqual(['debug', 'cloud']);
  expect(await fleet.pids()).toEqual(pids);
  await waitFor(async () => (await settings())?.report?.status === 'applied', { what: 'the report' });
  expect(await settings()).toMatchObject({ wanted: { version: 1 }, version: 1 });
  expect((await settings())?.drift).toBeUndefined();
});

test('when one app refuses, or a key is for the device alone, nobody is changed and the server is told why', async () => {
  const refused = await push({
    'telemetry-collector': uptimeEvery(-1),
    'command-executor': { logLevel: 'error' },
  });
  expect(refused).toMatchObject({ code: 11, out: expect.stringContaining('series.uptime.intervalMs') });
  expect(await inForce('command-executor', 'logLevel')).toEqual(['debug', 'cloud']);
  const local = await push({ 'ssh-broker': { sshdPath: '/tmp/evil' } });
  expect(local).toMatchObject({ code: 11, out: expect.stringContaining('only be set on the device itself') });
  await waitFor(async () => (await settings())?.report?.version === 3, { what: 'the report' });
  const shown = await bowline('fleet', 'config', 'show', DEVICE_ID);
  expect(shown.out).toContain('Drift: another document is in force');
  expect(shown.out).toContain('ssh-broker: sshdPath may only be set on the device itself');
});

test('when the same comes again, it is a no-op; when it drops a key, that is as installed', async () => {
  const same = {
    'telemetry-collector': uptimeEvery(200),
    'command-executor': { logLevel: 'debug' },
    'ws-gateway': { logLevel: 'debug' },
  };
  expect(await push(same)).toMatchObject({ code: 0, out: expect.stringContaining('"unchanged": true') });
  expect(await push({ 'telemetry-collector': uptimeEvery(200) })).toMatchObject({ code: 0 });
  expect((await inForce('command-executor', 'logLevel'))?.[1]).not.toBe('cloud');
});

/** Links come up under it, but none lasts. */
const fatal = { 'ws-gateway': { link: { deadAfterMs: 1 } }, 'telemetry-collector': uptimeEvery(300) };

test('when no link lasts under a change, the device returns by itself, all apps with it', async () => {
  const tried = await push(fatal, '--confirm-within', '5s');
  expect(tried).toMatchObject({ code: 10, out: expect.stringContaining('no new link came to stand') });
  expect(await inForce('ws-gateway', 'link.deadAfterMs')).toEqual([60_000, 'default']);
  expect(await inForce('telemetry-collector', 'series.uptime.intervalMs')).toEqual([200, 'cloud']);
});

test('when the gateway is killed in the middle of such a trial, the device returns by itself', async () => {
  const pushing = push(fatal, '--confirm-within', '8s');
  await waitFor(async () => (await inForce('telemetry-collector', 'series.uptime.intervalMs'))?.[0] === 300, {
    what: 'the trial',
  });
  killByPid(await waitFor(async () => (await fleet.pids())['ws-gateway']));
  expect(await pushing).toMatchObject({ code: 10 });
  expect(await inForce('ws-gateway', 'link.deadAfterMs')).toEqual([60_000, 'default']);
  expect(await inForce('telemetry-collector', 'series.uptime.intervalMs')).toEqual([200, 'cloud']);
});

test('when a change under which links last is tried, it is kept', async () => {
  const kept = await push({ 'ws-gateway': { link: { probeDeadlineMs: 4000 } } }, '--confirm-within', '60s');
  expect(kept).toMatchObject({ code: 0 });
  expect(await inForce('ws-gateway', 'link.probeDeadlineMs')).toEqual([4000, 'cloud']);
});

test('when a person at the device looks, each value says where it is from, and an older document can be put back', async () => {
  const device = (...args: string[]) => bowline('--home', fleet.layout.home, 'config', ...args);
  expect((await device('show', 'ws-gateway')).out).toMatch(/link\.probeDeadlineMs +4000 ms +cloud/);
  expect((await device('history')).out).toMatch(/rolled back/);
  expect((await device('diff', '1')).out).toMatch(/telemetry-collector\.series\.uptime\.intervalMs +200 *\n/);
  expect(await device('rollback', '1')).toMatchObject({ code: 0 });
  expect(await inForce('telemetry-collector', 'series.uptime.intervalMs')).toEqual([200, 'cloud']);
  await waitFor(async () => (await settings())?.drift === 'version', { what: 'the server to see it' });
  expect((await settings())?.version).toBe(1);
});
