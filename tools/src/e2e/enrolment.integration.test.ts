import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterThisFile, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeAll, describe, expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { PlainServer } from './plain-server.ts';

const HOUR_MS = 3_600_000;

let server: PlainServer;
let count = 0;
beforeAll(async () => {
  server = await PlainServer.start();
});
const nextId = () => `press-${(count += 1)}`;

/** A device that is enrolled by hand and online. */
async function enrolled(deviceId = nextId()): Promise<BareDevice> {
  const device = new BareDevice({});
  device.startGateway();
  const token = await server.token('--device', deviceId);
  const { code, stderr } = await device.bowline('enroll', '--server', server.url, '--token', token);
  if (code !== 0) throw new Error(stderr);
  await device.untilOnline();
  return device;
}
const keyOf = async (device: BareDevice) => (await device.bowline('identity')).stdout;
const samples = async (deviceId: string) =>
  (await server.api.samples(deviceId, 'test.value')).map(({ value }) => value);
const sample = (value: number) => ({
  id: uuidv7(),
  type: 'telemetry' as const,
  sentAt: Date.now(),
  payload: { samples: [{ series: 'test.value', at: 1_790_000_000_000 + value, value }] },
});

describe('bowline enroll', () => {
  test('when a token of the server is given, the device gets name, groups and server, keeps them for itself alone, and goes online', async () => {
    const device = new BareDevice({});
    device.startGateway();
    await device.untilOffline('not-enrolled');
    const token = await server.token('--device', 'kiosk', '--name', 'Kiosk 1', '--group', 'hall-2');
    const { code, stdout } = await device.bowline('enroll', '--server', server.url, '--token', token);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^device +kiosk\nname +Kiosk 1\ngroups +hall-2\n/);
    expect(stdout).toContain(`trusted     by the token\n`);
    expect(stdout).toContain(token.split('.')[1]);
    for (const file of ['device.pem', 'enrolment.json'])
      expect(statSync(join(device.state, file)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(device.state, 'enrolment.json'), 'utf8')).not.toContain(token.split('.')[0]);
    expect((await device.untilOnline()).device).toMatchObject({ id: 'kiosk', trustedBy: 'token' });
  });

  test('when the token comes by a file, it is no argument for others to see, and the apps are told whom it trusts', async () => {
    const device = new BareDevice({ url: server.url });
    device.startGateway();
    const [file, anchor] = [join(device.folder, 'from-the-operator'), join(device.folder, 'anchor.json')];
    const token = await server.token('--device', 'anchored', '--group', 'night');
    writeFileSync(file, `${token}\n`);
    const { code, stderr } = await device.bowline('enroll', '--token-file', file, '--anchor', anchor);
    expect([code, stderr]).toEqual([0, expect.stringContaining(anchor)]);
    expect(JSON.parse(readFileSync(anchor, 'utf8'))).toEqual({
      rootThumbprint: token.split('.')[1],
      deviceId: 'anchored',
      groups: ['night'],
    });
    await device.untilOnline();
    const nowhere = ['--anchor', join(file, 'anchor.json'), '--replace-anchor'];
    const unwritten = await device.bowline('enroll', '--token-file', file, ...nowhere);
    expect([unwritten.code, unwritten.stderr]).toEqual([2, expect.stringContaining('as root')]);
  });

  test('when the server or the token is not good, it says why, and the device stays what it was', async () => {
    const device = new BareDevice({});
    device.startGateway();
    const before = await waitFor(() => keyOf(device), { what: 'the key of the device' });
    const used = await server.token();
    await new BareDevice({ url: server.url, token: used }).startGateway().output(/"message":"enrolled"/);
    const tries: [string[], string][] = [
      [['--token', used], 'token-used'],
      [['--token', `${'x'.repeat(32)}.${'y'.repeat(43)}`], 'token-gone'],
      [['--token', 'half-a-token'], 'bad-enrolment-token'],
      [[], 'no-root'],
      [['--trust-on-first-use'], 'unknown-key'],
    ];
    for (const [options, error] of tries) {
      const { code, stdout } = await device.bowline('enroll', '--server', server.url, ...options, '--json');
      expect([code, JSON.parse(stdout)]).toMatchObject([2, { error: { code: error } }]);
    }
    const away = await device.bowline('enroll', '--server', 'http://127.0.0.1:1', '--token', used);
    expect([away.code, away.stderr]).toEqual([2, expect.stringContaining('ECONNREFUSED')]);
    expect((await device.bowline('enroll', '--token', used)).stderr).toContain('--server URL');
    expect(await keyOf(device)).toBe(before);
    expect(existsSync(join(device.state, 'enrolment.json'))).toBe(false);
  });

  test('when a key is registered beforehand, it enrols without a token, by the root of the factory or by the word of a person', async () => {
    const root = (await server.token()).split('.')[1];
    for (const [deviceId, enrolment, options, by] of [
      ['factory', { factoryRoot: root }, [], 'factory-root'],
      ['first-use', {}, ['--trust-on-first-use'], 'first-use'],
    ] as const) {
      const device = new BareDevice({}, { enrolment });
      device.startGateway();
      const jwk = join(device.folder, 'key.json');
      writeFileSync(jwk, await keyOf(device));
      expect((await server.fleet('register', deviceId, jwk)).code).toBe(0);
      const anchor = ['--anchor', join(device.folder, 'anchor.json')] as const;
      const { code } = await device.bowline('enroll', '--server', server.url, ...options, ...anchor);
      expect(code).toBe(0);
      // What the gateway says is nobody's word: only where a person said so, and never in place of another root.
      expect(existsSync(anchor[1])).toBe(by === 'first-use');
      const other = JSON.stringify({ rootThumbprint: 'E'.repeat(43), deviceId, groups: [] });
      writeFileSync(anchor[1], other);
      const again = await device.bowline('enroll', '--server', server.url, ...options, ...anchor);
      expect(again.code).toBe(by === 'first-use' ? 2 : 0);
      expect(again.stderr.includes('names another root')).toBe(by === 'first-use');
      expect(readFileSync(anchor[1], 'utf8')).toBe(other);
      expect((await device.untilOnline()).device).toMatchObject({ id: deviceId, trustedBy: by });
      const shown = (await device.bowline('status')).stdout.includes('trusted on first use');
      expect([by, shown]).toEqual([by, by === 'first-use']);
      expect((await device.bowline('identity')).stderr.includes('ON FIRST USE')).toBe(by === 'first-use');
      const kept = JSON.parse(readFileSync(join(device.state, 'enrolment.json'), 'utf8')) as object;
      expect(kept).toMatchObject({ made: { trustedBy: by, rootThumbprint: root } });
    }
  });
});

describe('a root that was there before', () => {
  test('when the token names another root than the anchor, nothing changes, unless that is said', async () => {
    const device = new BareDevice({ url: server.url });
    device.startGateway();
    await device.untilOffline('not-enrolled');
    const anchor = join(device.folder, 'anchor.json');
    const before = JSON.stringify({ rootThumbprint: 'F'.repeat(43), deviceId: 'before', groups: [] });
    writeFileSync(anchor, before);
    const token = await server.token('--device', nextId());
    const enroll = ['enroll', '--server', server.url, '--token', token, '--anchor', anchor] as const;
    const refused = await device.bowline(...enroll, '--json');
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([
      2,
      { error: { code: 'anchor-differs' } },
    ]);
    expect(readFileSync(anchor, 'utf8')).toBe(before);
    expect(existsSync(join(device.state, 'enrolment.json'))).toBe(false);
    expect((await device.bowline(...enroll, '--replace-anchor')).code).toBe(0);
    expect(JSON.parse(readFileSync(anchor, 'utf8'))).toMatchObject({ rootThumbprint: token.split('.')[1] });
    // The same root again is nobody else.
    expect((await device.bowline(...enroll)).code).toBe(0);
  });

  test('when the factory set one, a token with another does not get into the anchor, one with the same does', async () => {
    const token = await server.token('--device', nextId());
    const root = token.split('.')[1] as string;
    const device = new BareDevice({}, { enrolment: { factoryRoot: root } });
    device.startGateway();
    await device.untilOffline('not-enrolled');
    const anchor = join(device.folder, 'anchor.json');
    const enroll = (at: string, given: string) =>
      device.bowline('enroll', '--server', at, '--token', given, '--anchor', anchor);
    expect((await enroll(server.url, token)).code).toBe(0);
    expect(JSON.parse(readFileSync(anchor, 'utf8'))).toMatchObject({ rootThumbprint: root });
    rmSync(anchor);
    // A server that has no key of that root, but its bundle, which is no secret, takes any token.
    const kept = JSON.parse(readFileSync(join(device.state, 'enrolment.json'), 'utf8')) as object;
    const evil = await serveAlways(201, { ...kept, made: undefined });
    const swapped = await enroll(evil, `${'x'.repeat(32)}.${'E'.repeat(43)}`);
    expect([swapped.code, swapped.stderr]).toEqual([
      2,
      expect.stringContaining('by the root of its factory'),
    ]);
    expect(swapped.stderr).toContain('--replace-anchor');
    expect(existsSync(anchor)).toBe(false);
  });
});

/** A server that has one answer to whatever it is asked. @returns its origin. */
async function serveAlways(status: number, body: object): Promise<string> {
  const http = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  afterThisFile(() => void http.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

describe('a fleet token in a file', () => {
  test('when devices find it, each enrols by itself into the group and erases it, until its uses are spent', async () => {
    const token = await server.token('--uses', '2', '--group', 'night');
    const devices = [0, 1].map(() => new BareDevice({ url: server.url, token }));
    for (const device of devices) device.startGateway();
    const ids = await Promise.all(devices.map(async (device) => (await device.untilOnline()).device.id));
    expect(new Set(ids).size).toBe(2);
    for (const device of devices) expect(existsSync(device.tokenFile)).toBe(false);
    const kept = devices.map(({ state }) => readFileSync(join(state, 'enrolment.json'), 'utf8'));
    for (const text of kept) expect(JSON.parse(text)).toMatchObject({ groups: ['night'] });

    const third = new BareDevice({ url: server.url, token });
    third.startGateway();
    const { link } = await third.untilOffline('token-gone');
    expect(link.nextAttemptInMs).toBeGreaterThan(4 * 60_000);
    expect(existsSync(third.tokenFile)).toBe(true);
  });

  test('when the root of the factory is another than that of the token, the factory wins and the server is refused', async () => {
    const device = new BareDevice(
      { url: server.url, token: await server.token() },
      { enrolment: { factoryRoot: 'A'.repeat(43) } },
    );
    device.startGateway();
    await device.untilOffline('untrusted-bundle');
    expect(existsSync(join(device.state, 'enrolment.json'))).toBe(false);
  });
});

describe('enrolling anew', () => {
  test('when the key is replaced while messages wait, each arrives once, and the old key is good for nothing', async () => {
    const deviceId = nextId();
    const device = await enrolled(deviceId);
    const app = device.connect();
    await waitFor(() => app.connected);
    await server.kill();
    await app.enqueue(Array.from({ length: 50 }, (_, value) => sample(value)));
    await server.start();
    const old = await keyOf(device);
    const token = await server.token('--device', deviceId);
    const { code, stderr } = await device.bowline(
      'enroll',
      '--server',
      server.url,
      '--token',
      token,
      '--new-key',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(await keyOf(device)).not.toBe(old);
    await device.untilOnline();
    await app.enqueue([sample(50)]);
    await waitFor(async () => (await samples(deviceId)).length === 51);
    expect(await samples(deviceId)).toEqual(Array.from({ length: 51 }, (_, value) => value));
    expect(existsSync(join(device.state, 'device.next.pem'))).toBe(false);
    const { queue } = await device.status();
    expect(queue.lanes['telemetry']?.ledger).toMatchObject({ dropped: 0, rejected: 0 });
  });

  test('when a device moves to another server, it takes along what it holds', async () => {
    const device = await enrolled();
    const app = device.connect();
    await waitFor(() => app.connected);
    const other = await PlainServer.start();
    await server.kill();
    await app.enqueue([sample(1), sample(2)]);
    const token = await other.token('--device', 'moved');
    expect((await device.bowline('enroll', '--server', other.url, '--token', token)).code).toBe(0);
    await waitFor(async () => (await other.api.samples('moved', 'test.value')).length === 2);
    expect((await device.untilOnline()).device.id).toBe('moved');
    await other.kill();
    await server.start();
  });
});

describe('revocation', () => {
  test('when a device is revoked, its link ends at once, it waits an hour or more, and comes back after restoration', async () => {
    const deviceId = nextId();
    const device = await enrolled(deviceId);
    await server.fleet('revoke', deviceId);
    const { link, counters } = await device.untilOffline('closed-4403');
    expect(link.nextAttemptInMs).toBeGreaterThan(HOUR_MS - 60_000);
    expect(link.nextAttemptInMs).toBeLessThan(2 * HOUR_MS);
    expect(counters).toMatchObject({ 'link.revoked': 1 });

    await device.killGateway();
    device.startGateway();
    const refused = await device.untilOffline('device-revoked');
    expect(refused.link.lastError).toMatchObject({ stage: 'auth' });
    expect(refused.link.nextAttemptInMs).toBeGreaterThan(HOUR_MS - 60_000);

    await server.fleet('restore', deviceId);
    await device.killGateway();
    device.startGateway();
    await device.untilOnline();
  });
});

describe('bowline reset', () => {
  test('when nobody confirms, nothing is lost; when somebody does, the device is a new one', async () => {
    const device = await enrolled();
    const file = join(device.folder, 'anchor.json');
    const anchor = { rootThumbprint: 'E'.repeat(43), deviceId: 'before', groups: [] };
    writeFileSync(file, JSON.stringify(anchor), { mode: 0o600 });
    const asked = await device.bowline('reset');
    expect([asked.code, asked.stdout]).toEqual([2, '']);
    for (const lost of ['device.pem', 'enrolment.json', 'store', 'messages', '--yes'])
      expect(asked.stderr).toContain(lost);
    expect((await device.status()).link.state).toBe('online');

    const before = await keyOf(device);
    const epoch = (await device.status()).queue.epoch;
    const gateway = device.gateway;
    const resetting = device.bowline('reset', '--yes', '--anchor', file);
    expect(await gateway?.exited).toMatchObject({ code: 0 });
    device.startGateway(); // as pm2 does
    expect((await resetting).code).toBe(0);
    expect(await keyOf(device)).not.toBe(before);
    const { device: self, queue } = await device.status();
    expect(self.id).toBeUndefined();
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      rootThumbprint: anchor.rootThumbprint,
      since: expect.any(Number),
    });
    expect(queue.epoch).not.toBe(epoch);
    const token = await server.token();
    await device.bowline('enroll', '--server', server.url, '--token', token);
    await device.untilOnline();
  });

  test('when the gateway is away, it refuses and says how to start it', async () => {
    const { code, stderr } = await new BareDevice({}).bowline('reset', '--yes');
    expect([code, stderr]).toEqual([4, expect.stringContaining('bowline restart ws-gateway')]);
  });
});
