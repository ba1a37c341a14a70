import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { HubClient } from '@bowline/ipc';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { waitFor } from '@bowline/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfiguredApp } from '../test-kit/configured-app.ts';
import { GatewayUnderTest } from '../test-kit/gateway.ts';

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** A cloud, a real gateway, and two apps that it configures. */
async function device(config: Record<string, unknown> = {}) {
  const cloud = await FakeCloud.start();
  const gateway = new GatewayUnderTest(cloud, { config });
  gateway.start();
  const collector = new ConfiguredApp(gateway, 'telemetry-collector');
  const executor = new ConfiguredApp(gateway, 'command-executor');
  running.push({ stop: () => gateway.kill() }, { stop: () => cloud.close() }, collector, executor);
  await Promise.all([collector.start(), executor.start()]);
  const push = async (version: number, sections: object, more: object = {}) =>
    (await cloud.link(({ hello }) => hello !== undefined)).order('config', { version, sections, ...more });
  const report = (version: number, status: string) =>
    waitFor(
      () =>
        cloud.stored.find(
          ({ type, payload }) =>
            type === 'configReport' && payload['version'] === version && payload['status'] === status,
        )?.payload,
      { what: `configReport ${status} of ${version}` },
    );
  return { cloud, gateway, collector, executor, push, report };
}

async function cli(gateway: GatewayUnderTest): Promise<HubClient> {
  const client = await gateway.app('cli');
  running.push({ stop: () => client.close() });
  return client;
}

const bothAt = (pace: number) => ({
  'telemetry-collector': { pace },
  'command-executor': { pace },
});

describe('a document of the cloud', () => {
  it('when all apps take it, it is in force live, reported, and in the next hello', async () => {
    const { cloud, collector, executor, push, report } = await device();
    const order = await push(1, bothAt(5));
    await cloud.ack(order, 'received');
    await cloud.ack(order, 'started');
    expect((await cloud.ack(order, 'succeeded')).payload).toMatchObject({ result: { version: 1 } });
    expect([collector.pace, executor.pace, collector.onDisk]).toEqual([5, 5, 5]);
    expect(collector.restarts).toEqual([]);
    const { hash } = await report(1, 'applied');
    const links = cloud.links.length;
    cloud.cut();
    const { hello } = await cloud.link(({ hello }, index) => index >= links && hello !== undefined);
    expect(hello).toMatchObject({ configVersion: 1, configHash: hash });
  });

  it('when it is refused by one app, none is changed, and the report names app, key and reason', async () => {
    const { cloud, collector, executor, push, report } = await device();
    await cloud.ack(await push(1, bothAt(5)), 'succeeded');
    const order = await push(2, {
      'command-executor': { pace: 6 },
      'telemetry-collector': { pace: 101 },
    });
    expect((await cloud.ack(order, 'rejected')).payload).toMatchObject({
      error: { code: 'config-refused', message: 'telemetry-collector: "pace" must be <= 100' },
    });
    expect(await report(2, 'rejected')).toMatchObject({
      errors: [{ app: 'telemetry-collector', key: 'pace', message: 'must be <= 100' }],
    });
    expect([collector.pace, executor.pace]).toEqual([5, 5]);
  });

  it.each([
    [
      'a key that is for the device alone',
      { 'command-executor': { stateDir: '/x' } },
      'stateDir',
      'only be set on',
    ],
    ['an unknown key', { 'command-executor': { paec: 1 } }, 'paec', 'did you mean "pace"?'],
    ['an unknown app', { 'comand-executor': {} }, 'comand-executor', 'did you mean command-executor?'],
    [
      'a key of the gateway that is local',
      { 'ws-gateway': { link: { url: 'ws://evil' } } },
      'link.url',
      'device itself',
    ],
  ])('when it has %s, it is refused', async (_, sections, key, why) => {
    const { cloud, push, report } = await device();
    await cloud.ack(await push(1, sections), 'rejected');
    const { errors } = (await report(1, 'rejected')) as { errors: { key: string; message: string }[] };
    expect(errors).toMatchObject([{ key }]);
    expect(errors[0]?.message).toContain(why);
  });

  it('when it changes nothing, it is a no-op under its new number', async () => {
    const { cloud, gateway, collector, push, report } = await device();
    await cloud.ack(await push(1, bothAt(5)), 'succeeded');
    collector.stop(); // nobody is asked
    const again = await push(3, bothAt(5));
    expect((await cloud.ack(again, 'succeeded')).payload).toMatchObject({
      result: { version: 3, unchanged: true },
    });
    await report(3, 'applied');
    expect(await (await cli(gateway)).request('config', {})).toMatchObject({ version: 3, phase: 'settled' });
  });

  it('when it is older than what is in force, or another of the same number, it is refused', async () => {
    const { cloud, executor, push } = await device();
    await cloud.ack(await push(5, bothAt(5)), 'succeeded');
    expect((await cloud.ack(await push(4, bothAt(6)), 'rejected')).payload['error']).toMatchObject({
      message: expect.stringContaining('older than 5') as string,
    });
    expect((await cloud.ack(await push(5, bothAt(6)), 'rejected')).payload['error']).toMatchObject({
      message: expect.stringContaining('higher version') as string,
    });
    expect(executor.pace).toBe(5);
  });

  it('when an app is away, the document waits for it', async () => {
    const { cloud, collector, push } = await device();
    collector.stop();
    const order = await push(1, bothAt(5));
    await cloud.ack(order, 'received');
    await collector.start();
    await cloud.ack(order, 'succeeded');
    expect(collector.pace).toBe(5);
  });

  it('when an app is away and does not come in time, the document is refused', async () => {
    const { cloud, collector, executor, push } = await device({ applyWithinMs: 1000 });
    collector.stop();
    const refused = await push(1, bothAt(6));
    expect((await cloud.ack(refused, 'rejected')).payload['error']).toMatchObject({
      message: 'telemetry-collector: is not running',
    });
    expect(executor.pace).toBe(1);
  });

  it.each([
    ['validateConfig', 'rejected', 'config-refused'],
    ['applyConfig', 'failed', 'config-rolled-back'],
  ] as const)(
    'when an app hangs in %s, the document is refused when its time is up, and nobody has it',
    async (request, status, code) => {
      const { cloud, collector, executor, push } = await device({ applyWithinMs: 2000 });
      collector.stop();
      collector.hangsIn = request;
      await collector.start();
      // Well before the ten seconds that an answer may take.
      expect((await cloud.ack(await push(1, bothAt(5)), status)).payload['error']).toMatchObject({
        code,
        message: expect.stringMatching(
          new RegExp(`^telemetry-collector: ${request} was not answered within \\d{1,4} ms$`),
        ) as string,
      });
      expect([executor.pace, collector.pace, collector.onDisk]).toEqual([1, 1, 1]);
    },
  );

  it('when a document is larger than a frame may be, or is nonsense as long as one, it is refused in a few words and the next one is taken', async () => {
    const { cloud, executor, push } = await device();
    const nonsense = (bytes: number) => ({ 'command-executor': { pace: 5, ['x'.repeat(bytes)]: 1 } });
    const link = await cloud.link(({ hello }) => hello !== undefined);
    await push(1, nonsense(2 ** 20));
    const reject = await waitFor(() => link.frames.find(({ type }) => type === 'reject'), {
      what: 'the refusal of the frame',
    });
    expect(reject.payload).toMatchObject({ code: 'too-large' });
    const refused = await push(2, nonsense(200_000));
    const { error } = (await cloud.ack(refused, 'rejected')).payload as { error: { message: string } };
    expect(error.message).toMatch(/^command-executor: "x{256}" unknown key/);
    expect(error.message.length).toBeLessThan(600);
    await cloud.ack(await push(3, bothAt(6)), 'succeeded');
    expect(executor.pace).toBe(6);
    expect(link.closeCode).toBeUndefined();
  });

  it('when the disk does not take what is for the gateway, all go back and it goes on; once there is room, it is taken', async () => {
    const { cloud, gateway, collector, executor, push, report } = await device();
    const file = join(gateway.folder, 'state/cloud-config.json');
    mkdirSync(file); // no file can be put in its place
    const sections = { ...bothAt(5), 'ws-gateway': { config: { keepDocuments: 7 } } };
    expect((await cloud.ack(await push(1, sections), 'failed')).payload['error']).toMatchObject({
      code: 'config-rolled-back',
      message: expect.stringContaining('ws-gateway: cannot be kept on this device') as string,
    });
    expect(await report(1, 'rolledBack')).toMatchObject({ errors: [{ app: 'ws-gateway' }] });
    expect([collector.pace, executor.pace, collector.onDisk]).toEqual([1, 1, 1]);
    rmdirSync(file);
    await cloud.ack(await push(2, sections), 'succeeded');
    expect(collector.pace).toBe(5);
    expect(readFileSync(file, 'utf8')).toContain('"keepDocuments":7');
  });

  it('when an app comes back that missed the end, it is brought to what is in force', async () => {
    const { cloud, gateway, collector, push } = await device();
    await cloud.ack(await push(1, bothAt(5)), 'succeeded');
    const lost = new ConfiguredApp(gateway, 'telemetry-collector'); // with an empty state folder
    collector.stop();
    running.push(lost);
    await lost.start();
    await waitFor(() => lost.pace === 5, { what: 'the app to be configured' });
  });

  it('when a key needs a restart, the app is told to restart itself once it is durable, and the order waits for it', async () => {
    const { cloud, collector, push } = await device();
    const order = await push(1, { 'telemetry-collector': { slow: 9 } });
    await waitFor(() => collector.restarts.length > 0, { what: 'the restart' });
    expect(collector.live.current.slow).toBe(9);
    expect(cloud.stored.some(({ payload }) => payload['status'] === 'succeeded')).toBe(false);
    collector.stop();
    await collector.start();
    await cloud.ack(order, 'succeeded');
    expect(collector.live.current.slow).toBe(9);
  });

  it('when a person goes back, the kept document is in force again and the cloud hears of it', async () => {
    const { cloud, gateway, collector, push, report } = await device({ keepDocuments: 2 });
    for (const version of [1, 2, 3]) await cloud.ack(await push(version, bothAt(version)), 'succeeded');
    const device3 = await cli(gateway);
    const { documents } = await device3.request('config', {});
    expect(documents).toMatchObject([
      { version: 3, outcome: 'applied', apps: ['telemetry-collector', 'command-executor'] },
      { version: 2, outcome: 'applied' },
    ]);
    await expect(device3.request('rollbackConfig', { version: 1 })).rejects.toMatchObject({
      code: 'unknown-config-version',
    });
    expect(await device3.request('rollbackConfig', { version: 2 })).toEqual({
      version: 2,
      status: 'applied',
      errors: [],
      tried: false,
    });
    expect(collector.pace).toBe(2);
    expect((await device3.request('config', {})).version).toBe(2);
    await waitFor(
      () =>
        cloud.stored.filter(({ payload }) => payload['version'] === 2 && payload['status'] === 'applied')
          .length === 2,
    );
    await report(2, 'applied');
    expect(await device3.request('rollbackConfig', { version: 0 })).toMatchObject({ status: 'applied' });
    expect(collector.pace).toBe(1);
  });
});

describe('a change that carries the link', () => {
  const slower = { 'ws-gateway': { link: { backoffCapMs: 90 } } };

  it('when a new link comes to stand under it, it is kept', async () => {
    const { cloud, gateway, push, report } = await device();
    const order = await push(1, slower, { confirmWithinMs: 60_000 });
    await cloud.ack(order, 'started');
    const { hello } = await cloud.link(({ hello }, index) => index > 0 && hello !== undefined);
    expect(hello).toMatchObject({ configVersion: 1 });
    await cloud.ack(order, 'succeeded');
    await report(1, 'applied');
    expect(cloud.links).toHaveLength(2);
    const shown = await (await cli(gateway)).request('config', {});
    const entry = shown.apps['ws-gateway']?.view?.entries.find(({ key }) => key === 'link.backoffCapMs');
    expect(entry).toMatchObject({ value: 90, source: 'cloud', carriesLink: true });
  });

  /** The document under trial, with the server answering no hello from here on. */
  async function inTrial(confirmWithinMs: number) {
    const world = await device();
    const { cloud, collector, push } = world;
    await cloud.link(({ hello }) => hello !== undefined);
    cloud.behaviour.welcome = false; // before the device can have a link that it would lose no more
    const order = await push(1, { ...slower, 'telemetry-collector': { pace: 7 } }, { confirmWithinMs });
    await cloud.ack(order, 'started');
    await waitFor(() => collector.paces.includes(7), { what: 'the app to try it' });
    await cloud.link(({ hello }, index) => index > 0 && hello?.['configVersion'] === 1);
    return { ...world, order };
  }

  it('when no new link comes up, the device returns by itself, all apps with it', async () => {
    const { cloud, gateway, collector, report, order } = await inTrial(3000);
    await waitFor(() => collector.pace === 1, { what: 'the return' });
    expect(collector.onDisk).toBe(1);
    cloud.behaviour.welcome = true;
    expect((await cloud.ack(order, 'failed')).payload['error']).toMatchObject({ code: 'config-rolled-back' });
    expect(await report(1, 'rolledBack')).toMatchObject({ errors: [{ app: 'ws-gateway' }] });
    expect(await (await cli(gateway)).request('config', {})).toMatchObject({
      phase: 'settled',
      version: 0,
      documents: [{ version: 1, outcome: 'rolledBack' }],
    });
  });

  it('when a person goes back from it while the device waits to try again, it tries at once', async () => {
    const { cloud, gateway, push } = await device();
    const patient = { 'ws-gateway': { link: { backoffBaseMs: 3_600_000, backoffCapMs: 3_600_000 } } };
    await cloud.ack(await push(1, patient, { confirmWithinMs: 60_000 }), 'succeeded');
    const links = cloud.links.length;
    cloud.cut();
    await gateway.process?.output(/link is down: will try again/);
    expect(await (await cli(gateway)).request('rollbackConfig', { version: 0 })).toMatchObject({
      status: 'applied',
    });
    await cloud.link(({ hello }, index) => index >= links && hello !== undefined);
  });

  it.each([{ backoffCapMs: 3_600_001 }, { deadAfterMs: 2 ** 31 - 1 }, { backoffBaseMs: 2 ** 31 - 1 }])(
    'when it would keep the device away for more than an hour (%j), it is refused',
    async (link) => {
      const { cloud, push } = await device();
      const ack = await cloud.ack(await push(1, { 'ws-gateway': { link } }), 'rejected');
      expect(ack.payload['error']).toMatchObject({ message: expect.stringContaining('3600000') });
    },
  );

  it('when a link comes up under it that cannot last, it is not kept', async () => {
    const { cloud, push } = await device();
    const order = await push(1, { 'ws-gateway': { link: { deadAfterMs: 1 } } }, { confirmWithinMs: 4000 });
    await cloud.ack(order, 'failed');
  });

  it('when the gateway is killed in the middle of a trial, what is left of its time counts, and then it returns', async () => {
    const { cloud, gateway, collector, order } = await inTrial(600_000);
    const held = () => readFileSync(join(gateway.folder, 'state/cloud-config.json'), 'utf8');
    expect(held()).toContain('backoffCapMs');
    await gateway.kill();
    await gateway.leaveOfTrial(2000);
    gateway.start();
    await waitFor(() => collector.pace === 1, { what: 'the return' });
    expect(held()).not.toContain('backoffCapMs');
    cloud.behaviour.welcome = true;
    expect((await cloud.ack(order, 'failed')).payload['error']).toMatchObject({ code: 'config-rolled-back' });
  });

  it('when the gateway is killed in the middle of a trial and a link comes up in time, it is kept', async () => {
    const { cloud, gateway, collector, order } = await inTrial(60_000);
    await gateway.kill();
    cloud.behaviour.welcome = true;
    gateway.start();
    await cloud.ack(order, 'succeeded');
    expect(collector.pace).toBe(7);
  });
});

describe('while Bowline itself is on trial', () => {
  const WAITS = /waits until the update of Bowline is over/;
  /** Held by the updater, and a document that came then. */
  async function held() {
    const all = await device();
    await all.cloud.ack(await all.push(1, bothAt(3)), 'succeeded');
    const updater = await all.gateway.app('ota-updater');
    running.push({ stop: () => updater.close() });
    expect(await updater.request('holdConfig', { forMs: 600_000 })).toEqual({ underWay: false });
    const order = await all.push(2, bothAt(5));
    await all.gateway.process?.output(WAITS);
    expect([all.collector.pace, all.executor.pace]).toEqual([3, 3]);
    return { ...all, updater, order };
  }

  it('when a document comes, it waits until the trial is over', async () => {
    const { cloud, collector, updater, order } = await held();
    await updater.request('holdConfig', { forMs: 0 });
    await cloud.ack(order, 'succeeded');
    expect(collector.pace).toBe(5);
  });

  it('when a person wants what would restart an app or cost the link, it is refused until the trial is over, and says until when; what is live is taken', async () => {
    const { gateway, collector, updater } = await held();
    const endsBy = Date.now() + 60_000;
    const trial = { release: 'bowline 2.0.0', processes: ['ws-gateway', 'ssh-broker'], endsBy };
    updater.notify('trial', { ...trial, forMs: 60_000 });
    const person = await cli(gateway);
    await waitFor(async () => (await person.request('status', {})).trial, { what: 'the trial to be told' });
    expect((await person.request('status', {})).trial).toEqual(trial);
    const until = new Date(endsBy).toISOString();
    const busy = {
      code: 'update-busy',
      message: expect.stringContaining(`bowline 2.0.0 is on trial until ${until}`) as string,
    };
    const override = (app: 'telemetry-collector' | 'ws-gateway', wanted: object) =>
      person.request('checkOverride', { app, override: { ...wanted } });
    await expect(override('telemetry-collector', { slow: 2 })).rejects.toMatchObject(busy);
    await expect(override('ws-gateway', { link: { url: 'ws://127.0.0.1:1' } })).rejects.toMatchObject(busy);
    await expect(person.request('rollbackConfig', { version: 0 })).rejects.toMatchObject(busy);
    await expect(person.request('forget', {})).rejects.toMatchObject(busy);
    await expect(
      person.request('enrol', { server: 'http://127.0.0.1:1', trustOnFirstUse: true, newKey: false }),
    ).rejects.toMatchObject(busy);
    expect(await override('telemetry-collector', { pace: 4 })).toMatchObject({ keys: ['pace'] });
    expect(collector.pace).toBe(3);

    updater.notify('trial', { ...trial, forMs: 0 });
    await updater.request('holdConfig', { forMs: 0 });
    expect((await person.request('status', {})).trial).toBeUndefined();
    expect(await override('telemetry-collector', { slow: 2 })).toMatchObject({ restart: ['slow'] });
  });

  it('when the updater dies, the document waits no longer than it was held', async () => {
    const { cloud, gateway, push } = await device();
    const updater = await gateway.app('ota-updater');
    await updater.request('holdConfig', { forMs: 3000 });
    updater.close();
    await cloud.ack(await push(1, bothAt(5)), 'succeeded');
  });

  it('when the gateway starts anew, as for the update itself, the document waits on', async () => {
    const { cloud, gateway, collector, updater, order } = await held();
    await gateway.kill();
    await gateway.start().output(WAITS);
    expect(collector.pace).toBe(3);
    await waitFor(() => updater.connected, { what: 'the updater to register again' });
    await updater.request('holdConfig', { forMs: 0 });
    await cloud.ack(order, 'succeeded');
  });

  it('when a document has begun already, the updater is told; nobody else may hold one', async () => {
    const { cloud, gateway, collector, push } = await device({ applyWithinMs: 3000 });
    collector.hangsIn = 'validateConfig';
    collector.stop();
    await collector.start();
    const updater = await gateway.app('ota-updater');
    running.push({ stop: () => updater.close() });
    const order = await push(1, bothAt(5));
    const hold = () => updater.request('holdConfig', { forMs: 600_000 });
    await cloud.ack(order, 'received');
    expect(await hold()).toEqual({ underWay: true });
    await cloud.ack(order, 'rejected');
    await waitFor(async () => !(await hold()).underWay, { what: 'its end' });
    const refused = (await cli(gateway)).request('holdConfig', { forMs: 1 });
    await expect(refused).rejects.toMatchObject({ code: 'ota-updater-only' });
  });
});
