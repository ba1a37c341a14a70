import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HUB_VERSION } from '@bowline/messages/hub/apps';
import type { Logger } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { socketPath } from './hub-folder.ts';
import { messageId, silentLog, telemetry } from './testing/messages.ts';
import { newHubFolder, rawConnection, registered, testClient, testHub } from './testing/real-hub.ts';

const order = {
  orderId: messageId(1),
  type: 'command' as const,
  payload: { name: 'ping', params: {} },
  state: 'received' as const,
  attempt: 0,
  receivedAt: 1,
};
const registerAs = (app: string, orderTypes: string[], more: object = {}) => [
  'request',
  1,
  'register',
  { app, version: '1', pid: 1, hubVersion: HUB_VERSION, orderTypes, ...more },
];

describe('registration', () => {
  it('when an app connects, both sides know each other', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const told: string[] = [];
    hub.onRegistered(({ app }) => told.push(app));
    const client = testClient(folder);
    const answer = await new Promise((resolve) => client.onRegistered(resolve));
    expect(answer).toEqual({ deviceId: 'demo', bootId: 'boot', link: 'offline' });
    await waitFor(() => told.length > 0);
    expect(told).toEqual(['command-executor']);
    const peer = { app: 'command-executor', version: '1.2.3', pid: process.pid, orderTypes: ['command'] };
    expect(hub.peers()).toMatchObject([peer]);
    client.onRegistered((again) => expect(again).toEqual(answer));
    expect.assertions(4);
  });

  it.each([
    ['another app', registerAs('ota-updater', ['softwareUpdate']), 'wrong-socket'],
    [
      'an order type of another app',
      registerAs('command-executor', ['command', 'sshAccess']),
      'order-type-not-allowed',
    ],
    [
      'another version of the hub',
      registerAs('command-executor', ['command'], { hubVersion: HUB_VERSION + 1 }),
      'hub-version',
    ],
    ['an app that does not exist', registerAs('root', []), 'invalid'],
  ])('when the socket of one app is used for %s, it is refused', async (_what, register, code) => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const raw = await rawConnection(folder, 'command-executor');
    raw.send(register, ['request', 2, 'status', {}]);
    await waitFor(() => raw.messages().length === 2);
    const errors = raw.messages().toSorted(([, a], [, b]) => Number(a) - Number(b));
    expect(errors).toMatchObject([
      ['error', 1, { code }],
      ['error', 2, { code: 'not-registered' }],
    ]);
    expect(hub.peers()).toEqual([]);
  });

  it('when an app registers twice on one connection, the second is refused', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const raw = await rawConnection(folder, 'command-executor');
    raw.send(registerAs('command-executor', ['command']), registerAs('command-executor', []));
    await waitFor(() => raw.messages().length === 2);
    expect(raw.messages()).toContainEqual([
      'error',
      1,
      expect.objectContaining({ code: 'already-registered' }),
    ]);
    await waitFor(() => hub.peers().length === 1);
    expect(hub.peers()).toMatchObject([{ orderTypes: ['command'] }]);
  });

  it('when an app registers anew, its older connection ends first', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const events: string[] = [];
    hub.onRegistered(({ version }) => events.push(`registered ${version}`));
    hub.onGone(({ version }) => events.push(`gone ${version}`));
    const older = await rawConnection(folder, 'ota-updater');
    older.send(registerAs('ota-updater', ['softwareUpdate'], { version: 'older' }));
    await waitFor(() => events.length === 1);
    const newer = await rawConnection(folder, 'ota-updater');
    newer.send(registerAs('ota-updater', ['softwareUpdate'], { version: 'newer' }));
    await waitFor(() => older.ended());
    await waitFor(() => events.length === 3);
    expect(events).toEqual(['registered older', 'gone older', 'registered newer']);
    expect(hub.peers()).toMatchObject([{ version: 'newer' }]);
    expect(newer.ended()).toBe(false);
  });

  it('when another copy of the app takes its place again and again, it backs off further each time', async () => {
    const folder = newHubFolder();
    await testHub(folder);
    const delays: number[] = [];
    const note = ({ delayMs }: { delayMs?: number }) => delayMs !== undefined && delays.push(delayMs);
    const client = testClient(folder, 'ssh-broker', {
      log: { ...silentLog, warn: note, debug: note } as unknown as Logger,
      random: () => 0.5,
      backoff: { minMs: 0, baseMs: 20, capMs: 100 },
    });
    client.onRegistered(() => {
      rawConnection(folder, 'ssh-broker').then(
        (rival) => rival.send(registerAs('ssh-broker', [])),
        () => undefined, // the hub ends with this test
      );
    });
    await waitFor(() => delays.length >= 4);
    expect(delays.slice(0, 4)).toEqual([10, 20, 40, 50]);
  });

  it('when the CLI runs several times, none replaces the other', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    for (const _ of [1, 2]) (await rawConnection(folder, 'cli')).send(registerAs('cli', []));
    await waitFor(() => hub.peers().length === 2);
  });

  it('when a connection does not register in time, it is dropped', async () => {
    const folder = newHubFolder();
    const clock = new FakeClock();
    const hub = await testHub(folder, { registerWithinMs: 50, clock });
    const raw = await rawConnection(folder, 'cli');
    // Again and again: the hub has it a moment after we do.
    await waitFor(() => clock.advance(50).then(() => raw.ended()));
    expect(hub.counters.droppedConnections).toBe(1);
    const client = testClient(folder);
    await registered(client);
  });

  it('when the gateway is not ready to answer yet, the app keeps trying until it is', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    let refusals = 0;
    hub.handle('register', () => {
      if ((refusals += 1) < 3) throw new TransientError('hub-starting', 'not yet');
      return { bootId: 'boot', link: 'online' };
    });
    await registered(testClient(folder));
    expect(refusals).toBe(3);
  });
});

describe('messages', () => {
  it('when app and hub ask and tell each other, each gets what the other said', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const heard: unknown[] = [];
    hub.handle('reportOrder', ({ status }, { app }) => {
      heard.push([app, status]);
      return { attempt: 1 };
    });
    hub.onNotification('appState', ({ state }, { app }) => heard.push([app, state]));
    const client = testClient(folder);
    client.handle('order', ({ orderId }) => {
      heard.push(orderId);
      return {};
    });
    client.onNotification('link', ({ state }) => heard.push(state));
    await registered(client);

    expect(await client.request('reportOrder', { orderId: messageId(1), status: 'started', at: 1 })).toEqual({
      attempt: 1,
    });
    expect(await hub.request('command-executor', 'order', order)).toEqual({});
    expect(client.notify('appState', { state: 'ready' })).toBe(true);
    hub.notifyAll('link', { state: 'online', since: 1 });
    await waitFor(() => heard.length === 4);
    expect(heard).toContainEqual(['command-executor', 'started']);
    expect(heard).toContainEqual(['command-executor', 'ready']);
    expect(heard).toContain(messageId(1));
    expect(heard).toContain('online');
  });

  it('when the hub sends an order as soon as an app is registered, the app has its answer first', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    hub.onRegistered(({ app }) => void hub.request(app, 'order', order));
    const seen: string[] = [];
    const client = testClient(folder);
    client.onRegistered(() => seen.push('registered'));
    client.handle('order', () => {
      seen.push('order');
      return {};
    });
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual(['registered', 'order']);
  });

  it('when an app is away, a request to it fails with `app-away`, and so does one under way when it goes', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    await expect(hub.request('ssh-broker', 'order', order)).rejects.toMatchObject({ code: 'app-away' });
    const client = testClient(folder);
    let asked = false;
    client.handle('order', () => {
      asked = true;
      return new Promise(() => {});
    });
    await waitFor(() => hub.peers().length === 1);
    const request = hub.request('command-executor', 'order', order).catch((error: unknown) => error);
    await waitFor(() => asked);
    const gone: string[] = [];
    hub.onGone(({ app }) => gone.push(app));
    client.close();
    expect(await request).toMatchObject({ name: 'TransientError', code: 'app-away' });
    expect(gone).toEqual(['command-executor']);
    expect(hub.peers()).toEqual([]);
  });

  it('when nobody answers, the request fails with `deadline`', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    hub.handle('status', () => new Promise(() => {}));
    const client = testClient(folder);
    await registered(client);
    await expect(client.request('status', {}, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'deadline',
    });
  });

  it('when an app has no handler for a request, the hub learns it', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    testClient(folder);
    await waitFor(() => hub.peers().length === 1);
    await expect(hub.request('command-executor', 'order', order)).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  it('when handlers throw in the middle of a chunk, every other message of it is handled', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const seen: number[] = [];
    hub.onNotification('progress', ({ percent = -1 }) => {
      seen.push(percent);
      if (percent % 2 === 1) throw new Error('listener');
    });
    const raw = await rawConnection(folder, 'command-executor');
    const progress = (percent: number) => ['notification', 'progress', { orderId: messageId(1), percent }];
    raw.send(registerAs('command-executor', ['command']));
    await waitFor(() => hub.peers().length === 1);
    const frame = (...messages: unknown[]) => `${JSON.stringify({ type: 'messages', data: messages })}\f`;
    raw.socket.write(frame(progress(1), progress(2)) + frame(progress(3)) + frame(progress(4)));
    await waitFor(() => seen.length === 4);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(hub.counters.handlerFailures).toBe(2);
    expect(raw.ended()).toBe(false);
  });
});

describe('hostile peers', () => {
  it.each([
    ['broken JSON', '{"type":\f'],
    ['an oversized frame', `${'x'.repeat(20_000)}`],
    ['an oversized whole frame', `{"type":"messages","data":["${'x'.repeat(20_000)}"]}\f`],
    ['a lifecycle event of node-ipc', '{"type":"close","data":{}}\f'],
    ['deep nesting', `{"type":"messages","data":${'['.repeat(2000)}${']'.repeat(2000)}}\f`],
  ])('when one sends %s, it is cut off and counted, and the others do not notice', async (_what, bytes) => {
    const folder = newHubFolder();
    const hub = await testHub(folder, { limits: { frameBytes: 10_000 } });
    hub.handle('reportOrder', () => ({ attempt: 1 }));
    const client = testClient(folder);
    await registered(client);
    const raw = await rawConnection(folder, 'cli');
    raw.socket.write(bytes);
    await waitFor(() => raw.ended());
    expect(hub.counters.badFrames).toBe(1);
    await client.request('reportOrder', { orderId: messageId(1), status: 'started', at: 1 });
    const again = await rawConnection(folder, 'cli');
    again.send(registerAs('cli', []));
    await waitFor(() => again.messages().length === 1);
  });

  it('when one never ends its frame, it is cut off; one that sends whole frames without a pause is not', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder, { limits: { incompleteFrameMs: 2000 } });
    const silent = await rawConnection(folder, 'command-executor');
    const steady = await rawConnection(folder, 'ota-updater');
    silent.send(registerAs('command-executor', ['command']));
    steady.send(registerAs('ota-updater', ['softwareUpdate']));
    await waitFor(() => hub.peers().length === 2);
    let seen = 0;
    hub.onNotification('appState', () => (seen += 1));
    const frame = `${JSON.stringify({ type: 'messages', data: [['notification', 'appState', { state: 'x' }]] })}\f`;
    const middle = Math.floor(frame.length / 2);
    steady.socket.write(frame.slice(0, middle));
    silent.socket.write(frame.slice(0, middle));
    // Always in the middle of a frame, for longer than one may stay incomplete.
    for (let sent = 1; !silent.ended(); sent += 1) {
      steady.socket.write(frame.slice(middle) + frame.slice(0, middle));
      await waitFor(() => seen === sent, { everyMs: 20 });
    }
    expect(steady.ended()).toBe(false);
    expect(hub.counters.badFrames).toBe(1);
  });

  it('when one asks without reading its answers, it is cut off before the hub grows', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder, {
      limits: { frameBytes: 100_000, windowBytes: 100_000, requestsInWork: 100_000 },
    });
    hub.handle('enqueue', () => {
      throw new TransientError('store-busy', 'x'.repeat(4000));
    });
    const raw = await rawConnection(folder, 'telemetry-collector');
    raw.send(registerAs('telemetry-collector', []));
    await waitFor(() => hub.peers().length === 1);
    raw.socket.pause();
    const producer = '01900000-0000-4000-8000-000000000000';
    for (let id = 2; id < 600; id += 1) {
      raw.sendLines(['request', id, 'enqueue', { producer, batch: id }, 1], telemetry(id));
    }
    await waitFor(() => hub.counters.droppedConnections === 1);
    expect(hub.peers()).toEqual([]);
    expect(hub.counters.badFrames).toBe(0);
  });
});

describe('the folder', () => {
  it('when a second hub opens the same folder, it is refused and the first keeps its sockets', async () => {
    const folder = newHubFolder();
    const hub = await testHub(folder);
    const before = statSync(socketPath(folder, 'cli')).ino;
    await expect(testHub(folder)).rejects.toMatchObject({ name: 'ConfigError', code: 'already-running' });
    expect(statSync(socketPath(folder, 'cli')).ino).toBe(before);
    await registered(testClient(folder));
    await hub.close();
    expect(existsSync(socketPath(folder, 'cli'))).toBe(false);
    await testHub(folder);
  });

  it('when the path of a socket is too long or the folder unsafe, nothing is made', async () => {
    const folder = join(temporaryFolder(), 'x'.repeat(100));
    await expect(testHub(folder)).rejects.toMatchObject({ code: 'socket-path-too-long' });
    expect(existsSync(folder)).toBe(false);
    expect(() => testClient(folder)).toThrow(expect.objectContaining({ code: 'socket-path-too-long' }));
    const open = newHubFolder();
    await (await testHub(open, { folderMode: 0o777 })).close();
    await expect(testHub(open)).rejects.toMatchObject({ code: 'hub-folder-unsafe' });
    expect(() => testClient(open)).toThrow(expect.objectContaining({ code: 'hub-folder-unsafe' }));
  });

  it('when apps have folders of their own, each socket is in its own and its group may use it', async () => {
    const root = temporaryFolder();
    const appFolders = { 'ssh-broker': join(root, 'ssh') };
    const hub = await testHub(join(root, 'hub'), { folderMode: 0o750, appFolders });
    expect(statSync(join(root, 'ssh')).mode & 0o777).toBe(0o750);
    expect(statSync(join(root, 'ssh', 'ssh-broker.sock')).mode & 0o060).toBe(0o060);
    await registered(testClient(join(root, 'ssh'), 'ssh-broker'));
    expect(hub.peers()).toMatchObject([{ app: 'ssh-broker' }]);
  });

  it('when the folder of an app has another group than that app’s, no socket is made', async () => {
    const root = temporaryFolder();
    const appFolders = { 'ssh-broker': join(root, 'ssh') };
    const options = { folderMode: 0o750, appFolders, appGroups: { 'ssh-broker': '987654' } };
    await expect(testHub(join(root, 'hub'), options)).rejects.toMatchObject({
      code: 'hub-folder-unsafe',
      message: expect.stringContaining('expected 987654'),
    });
    expect(existsSync(join(root, 'ssh', 'ssh-broker.sock'))).toBe(false);
    const gid = String(statSync(root).gid);
    await testHub(join(root, 'hub'), { ...options, appGroups: { 'ssh-broker': gid } });
  });

  it('when a file lies where a socket should be, the hub says so and gives the lock back', async () => {
    const folder = newHubFolder();
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(socketPath(folder, 'cli'), '');
    await expect(testHub(folder)).rejects.toMatchObject({ name: 'ConfigError', code: 'hub-folder-unusable' });
    rmSync(socketPath(folder, 'cli'));
    await testHub(folder);
  });
});
