import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HubClient } from '@bowline/ipc';
import { hashOf } from '@bowline/runtime';
import { freePort, waitFor } from '@bowline/testing';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { afterEach, expect, it } from 'vitest';
import { ConfiguredApp } from '../test-kit/configured-app.ts';
import { GatewayUnderTest } from '../test-kit/gateway.ts';

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** A cloud, a real gateway that is online, and a person at it. */
async function device() {
  const cloud = await FakeCloud.start();
  const gateway = new GatewayUnderTest(cloud);
  gateway.start();
  running.push({ stop: () => gateway.kill() }, { stop: () => cloud.close() });
  await cloud.link(({ hello }) => hello !== undefined);
  const person = await gateway.app('cli');
  running.push({ stop: () => person.close() });
  return { cloud, gateway, person };
}

/** As `bowline config set` does it. */
async function set(gateway: GatewayUnderTest, person: HubClient, override: object, how: object = {}) {
  const tree = override as Record<string, unknown>;
  const app = 'ws-gateway';
  const { faults } = await person.request('checkOverride', { app, override: tree, prepare: true });
  expect(faults).toEqual([]);
  writeFileSync(join(gateway.folder, 'config.local.json'), JSON.stringify(tree));
  return person.request('takeOverride', { app, hash: hashOf(tree), ...how }, { deadlineMs: 30_000 });
}

const linkUrl = async (person: HubClient) => {
  const { apps } = await person.request('config', {});
  const { entries = [], refused } = apps['ws-gateway']?.view ?? {};
  return { ...entries.find(({ key }) => key === 'link.url'), refused };
};

/** Another address of the same server. */
const elsewhere = (cloud: FakeCloud) =>
  `${cloud.origin.replace('http', 'ws')}/v1/devices/device-1/link?elsewhere`;

const overrideEvent = (cloud: FakeCloud) =>
  waitFor(() => cloud.stored.find(({ payload }) => payload['kind'] === 'config-override')?.payload['data'], {
    what: 'the event',
  });

it('when a link comes to stand at the new address, it is kept, and the cloud hears that it was set, not to what', async () => {
  const { cloud, gateway, person } = await device();
  const url = elsewhere(cloud);
  expect(await set(gateway, person, { link: { url } }, { confirmWithinMs: 20_000 })).toEqual({
    version: 0,
    status: 'applied',
    errors: [],
    tried: true,
    restarts: false,
  });
  expect(await linkUrl(person)).toMatchObject({ value: url, source: 'local' });
  expect(cloud.links.length).toBeGreaterThanOrEqual(2);
  expect(await overrideEvent(cloud)).toEqual({ app: 'ws-gateway', status: 'applied', keys: ['link.url'] });
});

it('when nobody answers at the new address, the old one is in force again, and stays so when the gateway starts anew', async () => {
  const { cloud, gateway, person } = await device();
  const url = `ws://127.0.0.1:${await freePort()}/`;
  const links = cloud.links.length;
  const end = await set(gateway, person, { link: { url } }, { confirmWithinMs: 2000 });
  expect(end).toMatchObject({ status: 'rolledBack', tried: true });
  expect(end.errors[0]?.message).toMatch(/^no new link came to stand in time .*\(tcp: .*ECONNREFUSED/);
  await cloud.link(({ hello }, index) => index >= links && hello !== undefined);
  expect(await linkUrl(person)).toMatchObject({ refused: expect.stringContaining('no new link') as string });

  await gateway.kill();
  const before = cloud.links.length;
  gateway.start();
  await cloud.link(({ hello }, index) => index >= before && hello !== undefined);
  const next = { app: 'ws-gateway' as const, override: { link: { url }, logLevel: 'debug' } };
  const { inForce } = await (await gateway.app('cli')).request('checkOverride', next);
  expect(inForce).toEqual({}); // what the change after it goes back to, not the file
});

it('when the gateway is killed in the middle of a trial, it returns by itself', async () => {
  const { cloud, gateway, person } = await device();
  const url = `ws://127.0.0.1:${await freePort()}/`;
  const end = set(gateway, person, { link: { url } }, { confirmWithinMs: 600_000 }).catch(() => undefined);
  await waitFor(async () => (await person.request('config', {})).override, { what: 'the trial' });
  await gateway.kill();
  await end;
  await gateway.leaveOfTrial(1000);
  const links = cloud.links.length;
  gateway.start();
  await cloud.link(({ hello }, index) => index >= links && hello !== undefined);
  await waitFor(async () => (await person.request('config', {})).phase === 'settled', { what: 'the end' });
  expect(await linkUrl(person)).toMatchObject({ refused: expect.any(String) as string });
  expect(await overrideEvent(cloud)).toMatchObject({ status: 'rolledBack' });
});

it('when something is tried out, no other key is set, which would take what is in the file along', async () => {
  const { gateway, person } = await device();
  const link = { url: `ws://127.0.0.1:${await freePort()}/` };
  const end = set(gateway, person, { link }, { confirmWithinMs: 4000 });
  await waitFor(async () => (await person.request('config', {})).override, { what: 'the trial' });
  const another = { app: 'ws-gateway' as const, override: { link, logLevel: 'debug' }, prepare: true };
  await expect(person.request('checkOverride', another)).rejects.toMatchObject({ code: 'config-busy' });
  expect(await end).toMatchObject({ status: 'rolledBack' });
});

it('when a person knows that there is no link now, it is kept untried', async () => {
  const { gateway, person } = await device();
  const url = `ws://127.0.0.1:${await freePort()}/`;
  expect(await set(gateway, person, { link: { url } }, { untried: true })).toMatchObject({
    status: 'applied',
    tried: false,
  });
  expect(await linkUrl(person)).toMatchObject({ value: url });
});

it('when it is nonsense, or not what stands in the file, it is refused and nothing has changed', async () => {
  const { gateway, person } = await device();
  const app = 'ws-gateway';
  const override = { link: { ulr: 'ws://x' } };
  expect(await person.request('checkOverride', { app, override })).toMatchObject({
    faults: [{ key: 'link.ulr', message: 'unknown key: did you mean "link.url"?' }],
  });
  const hash = createHash('sha256').digest('hex');
  await expect(person.request('takeOverride', { app, hash })).rejects.toMatchObject({
    code: 'override-elsewhere',
  });
  const executor = await gateway.app('command-executor');
  running.push({ stop: () => executor.close() });
  await expect(executor.request('takeOverride', { app, hash })).rejects.toMatchObject({ code: 'cli-only' });
});

it('when the folder that remembers a trial is to change with the link, it is refused, whoever asks; untried it is not', async () => {
  const { gateway, person } = await device();
  const app = 'ws-gateway';
  const stateDir = join(gateway.folder, 'elsewhere');
  const override = { stateDir, link: { url: `ws://127.0.0.1:${await freePort()}/` } };
  const fault = {
    key: 'stateDir',
    message:
      'cannot be changed together with link.url: a trial is remembered in that folder. Set them one after the other',
  };
  const asked = person.request('checkOverride', { app, override, prepare: true });
  expect((await asked).faults).toEqual([fault]);
  expect((await person.request('checkOverride', { app, override })).faults).toEqual([]);
  const alone = { app, override: { stateDir }, prepare: true } as const;
  expect((await person.request('checkOverride', alone)).faults).toEqual([]);

  writeFileSync(join(gateway.folder, 'config.local.json'), JSON.stringify(override));
  const end = await person.request('takeOverride', { app, hash: hashOf(override) });
  expect(end).toMatchObject({ status: 'rejected', errors: [{ app, ...fault }] });
  expect((await linkUrl(person)).value).not.toBe(override.link.url);
});

it('when a document that a person goes back to leaves the device without a link, it does not stay', async () => {
  const { cloud, person } = await device();
  const link = await cloud.link();
  const documents = [{ backoffCapMs: 90 }, { backoffCapMs: 80, connectDeadlineMs: 5000 }];
  for (const [index, sections] of documents.entries()) {
    const order = (await cloud.link(({ hello }) => hello !== undefined)).order('config', {
      version: index + 1,
      sections: { 'ws-gateway': { link: sections } },
      confirmWithinMs: 30_000,
    });
    await cloud.ack(order, 'succeeded');
  }
  expect(link.closeCode).toBeDefined();
  cloud.behaviour.welcome = false;
  const end = await person.request(
    'rollbackConfig',
    { version: 1, confirmWithinMs: 500 },
    { deadlineMs: 30_000 },
  );
  expect(end).toMatchObject({ version: 1, status: 'rolledBack', tried: true });
  expect((await person.request('config', {})).version).toBe(2);
});

it('when it has to wait for the end of a document, that document stays in force', async () => {
  const { cloud, gateway, person } = await device();
  const collector = new ConfiguredApp(gateway, 'telemetry-collector');
  running.push(collector);
  const order = (await cloud.link()).order('config', {
    version: 1,
    sections: { 'telemetry-collector': { pace: 5 } },
  });
  await cloud.ack(order, 'received');
  await person.request('config', {});
  const end = set(gateway, person, { link: { backoffBaseMs: 150 } }, { confirmWithinMs: 20_000 });
  await waitFor(() => existsSync(join(gateway.folder, 'config.local.json')), { what: 'the file' });
  await person.request('config', {}); // answered: the gateway has been asked before
  await collector.start(); // for which the document waits
  await cloud.ack(order, 'succeeded');
  expect(await end).toMatchObject({ version: 1, status: 'applied', tried: true });
  expect(await person.request('config', {})).toMatchObject({ version: 1, phase: 'settled' });
});

it('when a proxy is tried, who goes out beside the link is told it, and that it is none again if it opens no way', async () => {
  const { cloud, gateway, person } = await device();
  const { host, port } = new URL(cloud.origin);
  const proxy = await ConnectProxy.start({ routes: { [host]: Number(port) } });
  const updater = await gateway.app('ota-updater');
  running.push({ stop: () => updater.close() });
  const told: (string | undefined)[] = [];
  updater.onNotification('linkProxy', () => {
    void updater.request('linkProxy', {}).then((way) => told.push(way.proxy));
  });
  const through = (at: number) => ({ link: { proxy: `http://127.0.0.1:${at}/`, noProxy: [] } });

  const bad = through(await freePort());
  const end = await set(gateway, person, bad, { confirmWithinMs: 2000 });
  expect(end).toMatchObject({ status: 'rolledBack', tried: true });
  expect(end.errors[0]?.message).toMatch(/\(proxy: .*ECONNREFUSED/);
  await waitFor(() => told.length === 2, { what: 'both news' });
  expect(told).toEqual([bad.link.proxy, undefined]);

  const good = through(proxy.port);
  const kept = await set(gateway, person, good, { confirmWithinMs: 20_000 });
  expect(kept).toMatchObject({ status: 'applied', tried: true });
  await waitFor(() => told.length === 3, { what: 'the news' });
  expect(told.at(-1)).toBe(good.link.proxy);
  expect(proxy.asked).toContain(host);
});
