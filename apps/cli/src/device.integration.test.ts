import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DeviceStatus } from '@bowline/messages/hub';
import { isAlive } from '@bowline/pm2';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { waitFor } from '@bowline/testing';
import { fakeDevice, fakeGateway, type FakeDevice } from './testing/fake-device.ts';
import { bowline, startBowline } from './testing/run-bowline.ts';
import { upkeep } from './commands/upkeep.ts';

const APPLIED = { version: 5, status: 'applied' as const, errors: [], tried: true, restarts: false };

const STATUS: DeviceStatus = {
  device: { bootId: 'boot', agentVersion: '0', uptimeSeconds: 1 },
  link: { state: 'online', since: 0, attempts: 0 },
  queue: { epoch: 'epoch', lanes: {}, deadLetters: 0 },
  apps: {},
  orders: [],
  counters: {},
};

let device: FakeDevice;
beforeAll(async () => {
  device = await fakeDevice();
});
const on = (...args: string[]) => bowline(['--home', device.home, ...args]);
const inPm2 = async (app: string) => {
  const found = (await device.pm2.list()).find(({ name }) => name === app);
  if (found === undefined) throw new Error(`pm2 has no ${app}`);
  return found;
};

describe('bowline history', () => {
  test('when it is asked for, series are listed, all points of one shown, and an upload begun', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    try {
      expect((await on('history')).stdout).toBe('hw.temperature:cpu\nlevel\n');
      const range = ['--from', '1970-01-01T00:00:01Z', '--to', '1970-01-01T01:00:00Z', '--json'];
      const shown = await on('history', 'show', 'level', ...range);
      expect(JSON.parse(shown.stdout)).toMatchObject({
        unit: 'm',
        points: [
          { at: 1000, value: 1 },
          { at: 2000, value: 2 },
        ],
      });
      const minutes = await on('history', 'show', 'level', '--resolution', '1m');
      expect(minutes.stdout).toMatch(/when +value \(m\) +least +greatest +samples\n.* 2 +1 +3 +60/);
      expect((await on('history', 'show', 'nothing')).stdout).toContain(
        'Nothing has been recorded of nothing',
      );
      expect((await on('history', 'upload')).stdout).toContain('The upload has begun');
      const wrong = await on('history', 'show', 'level', '--from', 'yesterday');
      expect(wrong.stderr).toContain('Write it as 2h');
      expect(wrong.code).not.toBe(0);
    } finally {
      await hub.close();
    }
  });
});

describe('bowline status', () => {
  test('when the gateway is away, it says so, still shows what pm2 runs, and does not end with 0', async () => {
    const { code, stdout, stderr } = await on('status');
    const { pid } = await inPm2('ssh-broker');
    expect(stdout).toMatch(new RegExp(`ssh-broker +online +${pid} `));
    expect(stderr).toContain('The gateway does not answer');
    expect(code).toBe(4);

    const asJson = await on('status', '--json');
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      error: { code: 'gateway-away' },
      processes: [{ name: 'ws-gateway' }, { name: 'ssh-broker', pid, alive: true }],
    });
    expect(asJson.code).toBe(4);
  });

  test('when the gateway answers, link, queue, apps and orders are shown', async () => {
    const hub = await fakeGateway(device.hubFolder, {
      state: 'online',
      since: Date.now() - 61_000,
      server: 'ws://127.0.0.1:7400',
      attempts: 0,
    });
    try {
      const { code, stdout, stderr } = await on('status');
      expect(stderr).toBe('');
      expect(stdout).toMatch(/device {2}demo {2}0\.1\.0 {2}up 1 min 15 s/);
      expect(stdout).toMatch(/link {4}online for 1 min \d+ s {2}ws:\/\/127\.0\.0\.1:7400/);
      expect(stdout).toMatch(/results +2 +2 kB +\d+ s +10 +7 +0 +1 +0\n/);
      expect(stdout).toContain('1 dead letters');
      expect(stdout).toMatch(/history-upload +every 900 s +waiting +1 min \d+ s ago +never +1 +offline/);
      expect(stdout).toMatch(/telemetry-collector +same-moment +12 +series a has more than one value\n/);
      expect(stdout).toMatch(/ssh-broker +online .* ready\n/);
      expect(stdout).toMatch(/command ping +succeeded +100 ms/);
      expect(code).toBe(0);

      const asJson = await on('status', '--json');
      expect(JSON.parse(asJson.stdout)).toMatchObject({ device: { id: 'demo' }, link: { state: 'online' } });
      expect(asJson.code).toBe(0);
    } finally {
      await hub.close();
    }
  });

  test('when asked for the link, failed attempts are shown with their stage', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'offline', since: Date.now(), attempts: 1 });
    try {
      const { code, stdout } = await on('status', '--link');
      expect(stdout).toMatch(/\d{4}-\d\d-\d\d [\d:]{8} +tcp +12 ms +econnrefused +connect ECONNREFUSED/);
      expect(code).toBe(0);
      const asJson = await on('status', '--link', '--json');
      expect(JSON.parse(asJson.stdout)).toMatchObject({ attempts: [{ stage: 'tcp' }] });
    } finally {
      await hub.close();
    }
  });

  test('when pm2 does not run either, it is not started by looking', async () => {
    const { home, pm2 } = await fakeDevice([]);
    await pm2.kill();
    const { code, stdout, stderr } = await bowline(['--home', home, 'status']);
    expect(stdout).toContain('pm2 runs nothing here.');
    expect(stderr).toContain('Start the demo (npm start)');
    expect(code).toBe(4);
    expect(await pm2.isRunning()).toBe(false);
  });
});

describe('bowline dead-letters', () => {
  test('when there are some, they are listed, shown, sent again and purged, and an unknown number is told', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    try {
      const list = await on('dead-letters');
      expect(list.stdout).toMatch(/2 +[\d: -]+ +events +42 +event +300 B +conflict +another content/);
      const shown = await on('dead-letters', 'show', '2');
      expect(JSON.parse(shown.stdout)).toEqual({ id: '01980000-0000-7000-8000-000000000002' });

      const none = await on('dead-letters', 'resend');
      expect(none.stderr).toContain('Which ones?');
      expect(none.code).toBe(2);
      const resent = await on('dead-letters', 'resend', '1', '7');
      expect(resent.stdout).toBe('1 will be sent again.\n');
      expect(resent.stderr).toContain('There is no dead letter 7.');
      expect(resent.code).toBe(2);
      const purged = await on('dead-letters', 'purge', '--all', '--json');
      expect(JSON.parse(purged.stdout)).toEqual({ numbers: [2], unknown: [] });
      expect((await on('dead-letters')).stdout).toBe('No dead letters.\n');
    } finally {
      await hub.close();
    }
  });
});

describe('bowline config', () => {
  test('when it is shown, each value says where it is from, and who is away', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    try {
      const shown = await on('config');
      expect(shown.stdout).toContain('document 5 in force, hash aaaaaaaaaaaa');
      expect(shown.stdout).toMatch(/series\.cpu\.intervalMs +1000 ms +cloud\n/);
      expect(shown.stdout).toContain('1 more are defaults: --all shows them.');
      expect(shown.stdout).toContain('ota-updater is not running');
      expect((await on('config', 'show', '--all')).stdout).toMatch(/logLevel +"info" +default/);
      const wrong = await on('config', 'show', 'telemetry-colector');
      expect(wrong.stderr).toContain('Did you mean telemetry-collector?');
      expect(wrong.code).toBe(2);
    } finally {
      await hub.close();
    }
  });

  test('when a key is set, the override is written, kept if its trial went well, and as it was if not', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ws-gateway.local.json');
    try {
      const good = await on('config', 'set', 'ws-gateway', 'link.url=wss://good');
      expect(good.stdout).toMatch(
        /Tried out now: a new link has 1 min to stand …\nSet\. Tried: a new link stands under it/,
      );
      expect(good.code).toBe(0);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { url: 'wss://good' } });
      expect(statSync(file).mode & 0o777).toBe(0o600);

      const bad = await on('config', 'set', 'ws-gateway', 'link.url=wss://nobody', '--confirm-within', '5s');
      expect(bad.stdout).toContain(
        'the server did not answer within 5 s. What was before is in force again.',
      );
      expect(bad.code).toBe(10);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { url: 'wss://good' } });

      const anew = await on('config', 'set', 'ws-gateway', 'link.url=wss://restarts');
      expect(anew.stdout).toContain('Tried: a new link stands under it.');
      expect(anew.code).toBe(0);

      const wrong = await on('config', 'set', 'ws-gateway', 'link.ulr=wss://x');
      expect(wrong.stderr).toContain('did you mean "link.url"?');
      expect(wrong.code).toBe(2);
      expect((await on('config', 'unset', 'ws-gateway', 'link.url')).code).toBe(0);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({});
      expect((await on('config', 'set', 'ws-gatway', 'a=1')).stderr).toContain('Did you mean ws-gateway?');
    } finally {
      await hub.close();
    }
  });

  test('when a trial fails over a file that was refused before, what is in force is written', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ws-gateway.local.json');
    const inForce = { link: { url: 'wss://good' } };
    hub.handle('checkOverride', () => ({
      faults: [],
      keys: ['link.url'],
      restart: [],
      link: ['link.url'],
      inForce,
    }));
    writeFileSync(file, JSON.stringify({ link: { url: 'wss://refused' } }));
    try {
      const bad = await on('config', 'set', 'ws-gateway', 'link.url=wss://nobody', '--confirm-within', '5s');
      expect(bad.code).toBe(10);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(inForce);
    } finally {
      await hub.close();
      rmSync(file);
    }
  });

  test('when a key restarts the ssh-broker, it is said that this ends the sessions', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    let restart = ['hubFolder'];
    hub.handle('checkOverride', () => ({ faults: [], keys: ['hubFolder'], restart, link: [] }));
    const set = () => on('config', 'set', 'ssh-broker', 'hubFolder=/x');
    try {
      expect((await set()).stdout).toContain('ends every open ssh session');
      restart = [];
      expect((await set()).stdout).not.toContain('session');
    } finally {
      await hub.close();
      rmSync(join(device.home, 'ssh-broker.local.json'));
    }
  });

  test('when the gateway is away, nothing of its own is written untried unless that is asked for; of other apps it is', async () => {
    const { home, pm2 } = await fakeDevice([]);
    await pm2.kill();
    const files = ['ws-gateway', 'ota-updater'].map((app) => join(home, `${app}.local.json`));
    const set = (...args: string[]) => bowline(['--home', home, 'config', 'set', ...args]);
    const refused = await set('ws-gateway', 'link.url=wss://nobody');
    expect(refused.stderr).toMatch(/does not answer .* Nothing has changed: .*--untried/s);
    expect(refused.code).toBe(4);
    expect(files.map((file) => existsSync(file))).toEqual([false, false]);

    const written = await Promise.all([
      set('ws-gateway', 'link.url=wss://nobody', '--untried'),
      set('ota-updater', 'logLevel=debug'),
    ]);
    expect(written.map(({ code }) => code)).toEqual([0, 0]);
    expect(files.map((file) => existsSync(file))).toEqual([true, true]);
  });

  test('when two changes of one app come at once, the second is refused and the first goes on', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ws-gateway.local.json');
    let finish: ((end: typeof APPLIED) => void) | undefined;
    hub.handle('takeOverride', () => new Promise((end) => (finish = end)));
    try {
      const first = on('config', 'set', 'ws-gateway', 'link.url=wss://first');
      const end = await waitFor(() => finish, { what: 'the first change to be taken' });
      const second = await on('config', 'set', 'ws-gateway', 'link.url=wss://second');
      expect(second.stderr).toContain(`Another change of ${file} is under way.`);
      expect(second.code).toBe(2);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { url: 'wss://first' } });
      end(APPLIED);
      expect((await first).code).toBe(0);
      hub.handle('takeOverride', () => APPLIED);
      expect((await on('config', 'unset', 'ws-gateway', 'link.url')).code).toBe(0);
    } finally {
      await hub.close();
    }
  });

  test.each([
    [
      'somebody else’s change, it is tried after that',
      false,
      { code: 0, taken: 2, said: 'Tried: a new link' },
    ],
    ['its own trial, it is not tried again', true, { code: 10, taken: 1, said: 'connect ETIMEDOUT' }],
  ])('when the gateway is busy with %s, and told how it ended', async (_, isOwn, { code, taken, said }) => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    let takes = 0;
    let looks = 0;
    hub.handle('takeOverride', () => {
      takes += 1;
      if (takes === 1) throw new RejectedError('config-busy', 'another change is under way');
      return APPLIED;
    });
    hub.handle('config', () => {
      looks += 1;
      const view = { hash: 'c'.repeat(64), entries: [] };
      const busy = { phase: 'applying' as const, candidate: 6, ...(isOwn ? { override: true } : {}) };
      // Of what is only prepared it is said, too, that it does not count.
      const refused = isOwn ? 'no link: connect ETIMEDOUT' : 'it was not tried to its end';
      return {
        hash: 'a'.repeat(64),
        documents: [],
        ...(looks === 1 ? busy : { phase: 'settled' as const }),
        apps: { 'ws-gateway': { view: { ...view, refused } } },
      };
    });
    try {
      const ended = await on('config', 'set', 'ws-gateway', 'link.url=wss://later');
      expect(ended.stdout).toContain(said);
      expect([ended.code, takes]).toEqual([code, taken]);
    } finally {
      await hub.close();
    }
  });

  test('when a value is given by a file or standard input, it is set without standing on the command line; without a value it is told how', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ws-gateway.local.json');
    const secret = join(device.home, 'secret');
    writeFileSync(secret, 'wss://name:word@good\n');
    const set = (value: string, input?: string) =>
      bowline(
        ['--home', device.home, 'config', 'set', 'ws-gateway', value],
        input === undefined ? {} : { input },
      );
    try {
      expect(await set(`link.url=@${secret}`)).toMatchObject({ code: 0 });
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { url: 'wss://name:word@good' } });
      writeFileSync(secret, 'wss://other:word@good\n');
      expect(await set('link.url=@-', secret)).toMatchObject({ code: 0 });
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { url: 'wss://other:word@good' } });
      const absent = await set('link.url=@/nowhere');
      expect(absent.stderr).toContain('/nowhere cannot be read');
      expect(absent.code).toBe(2);
      const none = await set('link.url');
      expect(none.stderr).toMatch(
        /"link.url" is no value.*bowline config set ws-gateway link.url=.*KEY=@-.*unset/s,
      );
      expect(none.code).toBe(2);
    } finally {
      rmSync(file);
      await hub.close();
    }
  });

  test('when an unset was cut off after it wrote the file, the next one goes on from it; else a key that is not set is told', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ws-gateway.local.json');
    writeFileSync(file, '{"link":{"pingAfterMs":5000}}');
    try {
      const unset = await on('config', 'unset', 'ws-gateway', 'link.url');
      expect(unset.stderr).toContain('The override does not set "link.url".');
      expect(unset.code).toBe(2);
      const view = { hash: 'c'.repeat(64), entries: [], refused: 'it was not tried to its end' };
      hub.handle('config', () => ({
        hash: 'a'.repeat(64),
        documents: [],
        phase: 'settled',
        apps: { 'ws-gateway': { view } },
      }));
      hub.handle('checkOverride', () => ({
        faults: [],
        keys: ['link.url'],
        restart: [],
        link: ['link.url'],
      }));
      expect(await on('config', 'unset', 'ws-gateway', 'link.url')).toMatchObject({ code: 0 });
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ link: { pingAfterMs: 5000 } });
    } finally {
      rmSync(file);
      await hub.close();
    }
  });

  test('when the gateway dies amid a trial and is back at once, it is not asked to try again what it has gone back from', async () => {
    const link = { state: 'online' as const, since: Date.now(), attempts: 0 };
    const first = await fakeGateway(device.hubFolder, link);
    const died = new Promise<void>((resolve) => {
      first.handle('takeOverride', () => {
        void first.close().then(resolve);
        return new Promise(() => undefined);
      });
    });
    const ended = on('config', 'set', 'ws-gateway', 'link.url=wss://later');
    await died;
    const second = await fakeGateway(device.hubFolder, link);
    let takes = 0;
    second.handle('takeOverride', () => {
      takes += 1;
      return APPLIED;
    });
    second.handle('config', () => ({
      hash: 'a'.repeat(64),
      documents: [],
      phase: 'settled',
      apps: { 'ws-gateway': { view: { hash: 'c'.repeat(64), entries: [], refused: 'it went down' } } },
    }));
    try {
      expect(await ended).toMatchObject({
        code: 10,
        stdout: expect.stringContaining('it went down') as string,
      });
      expect(takes).toBe(0);
    } finally {
      await second.close();
    }
  });

  test('when an app refuses what was written, the file is as it was; when it has gone, it counts later', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    const file = join(device.home, 'ota-updater.local.json');
    const set = () => on('config', 'set', 'ota-updater', 'logLevel=debug');
    try {
      hub.handle('takeOverride', () => {
        throw new RejectedError('override-elsewhere', 'what was written is not what this app reads');
      });
      const refused = await set();
      expect(refused.stderr).toContain('What was written is not what this app reads.');
      expect(refused.code).toBe(2);
      expect(existsSync(file)).toBe(false);

      hub.handle('takeOverride', () => {
        writeFileSync(file, '{"logLevel":"warn"}');
        throw new RejectedError('override-elsewhere', 'what was written is not what this app reads');
      });
      expect((await set()).code).toBe(2);
      expect(readFileSync(file, 'utf8')).toBe('{"logLevel":"warn"}'); // written by hand meanwhile

      hub.handle('takeOverride', () => {
        throw new TransientError('app-away', 'ota-updater is not connected to the hub');
      });
      const gone = await set();
      expect(gone.stdout).toContain('is written, and counts when it runs.');
      expect(gone.code).toBe(0);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ logLevel: 'debug' });
    } finally {
      await hub.close();
    }
  });

  test('when the gateway runs, but cannot use its configuration, it is said what is wrong with which file, and a key can be taken out', async () => {
    const file = join(device.home, 'ws-gateway.local.json');
    const message = `${file}: "link.url" must match pattern`;
    const line = { time: new Date(Date.now() + 1000).toISOString(), state: 'misconfigured', message };
    appendFileSync(join(device.logs, 'ws-gateway.log'), `${JSON.stringify(line)}\n`);
    const shown = await on('config');
    expect(shown.stderr).toContain(`ws-gateway runs, but cannot use its configuration: ${message}.`);
    expect(shown.code).toBe(4);
    writeFileSync(file, '{"link":{"url":"nonsense"}}');
    const refused = await on('config', 'unset', 'ws-gateway', 'link.url');
    expect(refused.stderr).toContain(message);
    expect(refused.code).toBe(4);
    expect(readFileSync(file, 'utf8')).toContain('nonsense');
    const unset = await on('config', 'unset', 'ws-gateway', 'link.url', '--untried');
    expect(unset.stdout).toContain('is written unchecked, and counts when it runs');
    expect(readFileSync(file, 'utf8')).toBe('{}\n');
    writeFileSync(file, '{');
    expect((await on('config', 'set', 'ws-gateway', 'a=1')).stderr).toContain(`${file} is no JSON object.`);
  });

  test('when its past is asked for, documents are listed, compared, and one is put back or not', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    try {
      expect((await on('config', 'history')).stdout).toMatch(
        /5 .* applied +in force +telemetry-collector\n4 .*rolled back *\n4 went back: ssh-broker: x is bad\n/,
      );
      expect((await on('config', 'diff', '3')).stdout).toMatch(
        /telemetry-collector\.series\.cpu\.intervalMs +300 +500\n/,
      );
      const done = await on('config', 'rollback', '3');
      expect(done.stdout).toBe('Document 3 is in force.\n');
      expect(done.code).toBe(0);
      const failed = await on('config', 'rollback', '4');
      expect(failed.stdout).toContain('ssh-broker: x is bad');
      expect(failed.code).toBe(10);
    } finally {
      await hub.close();
    }
  });
});

describe('bowline logs', () => {
  test('when an app has written, its last lines are shown for people, or raw', async () => {
    const { pid } = await inPm2('ssh-broker');
    const { code, stdout } = await on('logs', 'ssh-broker', '--no-follow');
    expect(stdout).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} info +started pid=${pid}\n$`));
    expect(code).toBe(0);

    const raw = await on('logs', 'ssh-broker', '--no-follow', '--raw');
    expect(JSON.parse(raw.stdout)).toMatchObject({ message: 'started', pid });
  });

  test('when it follows, new lines come until it is called off', async () => {
    const child = startBowline(['--home', device.home, 'logs', 'ssh-broker']);
    await child.output(/started/);
    // pm2 attaches to the stream of new lines a moment after it has shown the old ones.
    await waitFor(
      async () => {
        await device.pm2.restart('ssh-broker');
        return (child.stdout().match(/started/g) ?? []).length > 1;
      },
      { what: 'a line written after the start' },
    );
    expect((await child.kill('SIGINT')).code).toBe(130);
    expect(child.stderr()).toBe('');
  });

  test('when the app is unknown, the one that was meant is named', async () => {
    const { code, stderr } = await on('logs', 'ssh-borker');
    expect(stderr).toContain('There is no app "ssh-borker".\nDid you mean ssh-broker?');
    expect(code).toBe(2);
  });
});

describe('bowline restart', () => {
  test('when an app is restarted, it has a new pid, is ready, and the others are untouched', async () => {
    const [before, other] = [await inPm2('ssh-broker'), await inPm2('ws-gateway')];
    const { code, stdout } = await on('restart', 'ssh-broker', '--json');
    const after = await inPm2('ssh-broker');
    expect(JSON.parse(stdout)).toMatchObject({ app: 'ssh-broker', pid: after.pid, previousPid: before.pid });
    expect(isAlive(before.pid)).toBe(false);
    expect((await inPm2('ws-gateway')).pid).toBe(other.pid);
    expect(code).toBe(0);
  });

  test('when the app is of a release on trial, it is left alone, and it is said until when', async () => {
    const hub = await fakeGateway(device.hubFolder, { state: 'online', since: Date.now(), attempts: 0 });
    try {
      const endsBy = Date.now() + 60_000;
      hub.handle('status', () => ({
        ...STATUS,
        trial: { release: 'bowline 2.0.0', processes: ['ssh-broker'], endsBy },
      }));
      const before = await inPm2('ssh-broker');
      const { code, stderr } = await on('restart', 'ssh-broker');
      expect(stderr).toContain(
        `ssh-broker is not restarted: bowline 2.0.0 is on trial until ${new Date(endsBy).toISOString()}`,
      );
      expect(code).toBe(2);
      expect((await inPm2('ssh-broker')).pid).toBe(before.pid);
      expect((await on('restart', 'ws-gateway')).code).toBe(0);
    } finally {
      await hub.close();
    }
  });

  test('when the app never says that it is ready, that is told', async () => {
    const { home, appFolder } = await fakeDevice(['ssh-broker'], { listenTimeoutMs: 500 });
    writeFileSync(join(appFolder('ssh-broker'), 'mute'), '');
    const { code, stderr } = await bowline(['--home', home, 'restart', 'ssh-broker']);
    expect(stderr).toContain('ssh-broker runs, but did not say that it is ready.');
    expect(code).toBe(7);
  });

  test('when the app crashes at its start, that is told, and once it is mended it can be restarted at once', async () => {
    const file = join(device.appFolder('ssh-broker'), 'crash');
    writeFileSync(file, '');
    const crashing = await on('restart', 'ssh-broker');
    expect(crashing.stderr).toContain('ssh-broker ends again and again.\nSee why: bowline logs ssh-broker');
    expect(crashing.code).toBe(7);

    rmSync(file);
    const mended = await on('restart', 'ssh-broker');
    expect(mended.stdout).toContain('ssh-broker is ready again');
    expect(mended.code).toBe(0);
  });
});

describe('bowline upkeep', () => {
  test('when pm2 has lost an app for good, it is started again', async () => {
    const { pid, restarts } = await inPm2('ssh-broker');
    // Without the folder of the logs pm2 cannot open them at the restart, and never tries again.
    renameSync(device.logs, `${device.logs}-away`);
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => (await inPm2('ssh-broker')).restarts > restarts, { what: 'pm2 to have tried' });
    renameSync(`${device.logs}-away`, device.logs);

    await upkeep({ pm2Home: device.pm2.home, rotate: undefined, secondLookMs: 1500 });

    const after = await inPm2('ssh-broker');
    expect(after.status).toBe('online');
    expect(isAlive(after.pid)).toBe(true);
  });

  test('when all is well, nothing is touched', async () => {
    const before = (await device.pm2.list()).map(({ pid }) => pid);
    await upkeep({ pm2Home: device.pm2.home, rotate: undefined, secondLookMs: 0 });
    expect((await device.pm2.list()).map(({ pid }) => pid)).toEqual(before);
  });
});
