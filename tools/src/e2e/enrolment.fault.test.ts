import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { Middle } from './middle.ts';
import { PlainServer } from './plain-server.ts';

let middle: Middle;
let server: PlainServer;
let count = 0;
beforeAll(async () => {
  middle = await Middle.start();
  server = await PlainServer.start({ publicUrl: middle.url });
  middle.target = Number(new URL(server.url).port);
});
beforeEach(() => {
  middle.passesOn = 'everything';
  middle.kept = 0;
});
const nextId = () => `press-${(count += 1)}`;
const uses = async () => {
  const { stdout } = await server.fleet('tokens', '--json');
  const { tokens } = JSON.parse(stdout) as { tokens: { uses: number; maxUses: number }[] };
  return tokens.at(-1)?.uses;
};
const pem = ({ state }: BareDevice, name = 'device.pem') => readFileSync(join(state, name), 'utf8');
const kill = async (device: BareDevice) => {
  await device.killGateway();
  middle.passesOn = 'everything';
};

describe('an enrolment that is killed', () => {
  test.each(['nothing', 'all-but-one'] as const)(
    'when the server has taken the key and %s of its answer comes, the next start ends it with the same key, as one use',
    async (passesOn) => {
      const device = new BareDevice({ url: middle.url, token: await server.token('--uses', '5') });
      middle.passesOn = passesOn;
      device.startGateway();
      await waitFor(() => middle.kept > 0, { what: 'the answer of the server' });
      await kill(device);
      const key = pem(device);
      expect(existsSync(join(device.state, 'enrolment.json'))).toBe(false);
      expect(existsSync(device.tokenFile)).toBe(true);

      device.startGateway();
      await device.untilOnline();
      expect(pem(device)).toBe(key);
      expect(await uses()).toBe(1);
      expect(existsSync(device.tokenFile)).toBe(false);
    },
  );

  test('when it had the answer on disk but not yet erased the token, the next start erases it and asks for nothing', async () => {
    const token = await server.token('--uses', '5');
    const device = new BareDevice({ url: middle.url, token });
    device.startGateway();
    await device.untilOnline();
    await kill(device);
    writeFileSync(device.tokenFile, token);
    device.startGateway();
    await device.untilOnline();
    expect(existsSync(device.tokenFile)).toBe(false);
    expect(await uses()).toBe(1);
  });
});

describe('a change of the key that is killed', () => {
  const enrolled = async (deviceId: string): Promise<BareDevice> => {
    const token = await server.token('--device', deviceId);
    const device = new BareDevice({ url: middle.url, token });
    device.startGateway();
    await device.untilOnline();
    return device;
  };
  /** Begins it, and returns once the gateway is dead. */
  async function cutShort(device: BareDevice, deviceId: string, until: () => boolean): Promise<void> {
    const token = await server.token('--device', deviceId);
    const enrolling = device.bowline('enroll', '--token', token, '--new-key');
    await waitFor(until, { what: 'the moment of the kill' });
    await kill(device);
    expect((await enrolling).code).not.toBe(0);
  }

  test('when the server has taken the new key and its answer was lost, the device finds out by itself', async () => {
    const deviceId = nextId();
    const device = await enrolled(deviceId);
    const old = pem(device);
    await device.status();
    middle.passesOn = 'nothing';
    // The link is answered nothing either: what counts is what was said since the enrolment began.
    const before = middle.signed().length;
    await cutShort(device, deviceId, () => middle.signed().length > before && middle.kept > 1);
    const next = pem(device, 'device.next.pem');
    device.startGateway();
    await device.untilOnline();
    expect(pem(device)).toBe(next);
    expect(next).not.toBe(old);
    expect(existsSync(join(device.state, 'device.next.pem'))).toBe(false);
  });

  test('when the server never heard of the new key, the old one stays, and the same new key is offered again', async () => {
    const deviceId = nextId();
    const device = await enrolled(deviceId);
    const old = pem(device);
    await server.kill();
    const enrolling = device.bowline('enroll', '--token', `${'x'.repeat(32)}.${'y'.repeat(43)}`, '--new-key');
    await waitFor(() => existsSync(join(device.state, 'device.next.pem')));
    await kill(device);
    await enrolling;
    await server.start();
    const next = pem(device, 'device.next.pem');
    device.startGateway();
    await device.untilOnline();
    expect(pem(device)).toBe(old);
    const token = await server.token('--device', deviceId);
    expect((await device.bowline('enroll', '--token', token, '--new-key')).code).toBe(0);
    expect(pem(device)).toBe(next);
  });

  test('when the enrolment names the new key and the old one is still in its place, the new one counts', async () => {
    const deviceId = nextId();
    const device = await enrolled(deviceId);
    const old = pem(device);
    const token = await server.token('--device', deviceId);
    await device.bowline('enroll', '--token', token, '--new-key');
    await kill(device);
    const renewed = pem(device);
    renameSync(join(device.state, 'device.pem'), join(device.state, 'device.next.pem'));
    writeFileSync(join(device.state, 'device.pem'), old, { mode: 0o600 });
    device.startGateway();
    await device.untilOnline();
    expect(pem(device)).toBe(renewed);
  });
});

test('when a reset is cut short between two files, the next start goes on with it', async () => {
  const device = new BareDevice({ url: middle.url, token: await server.token() });
  device.startGateway();
  await device.untilOnline();
  await kill(device);
  const key = pem(device);
  writeFileSync(join(device.state, 'forget'), '');
  rmSync(join(device.state, 'enrolment.json'));
  device.startGateway();
  await device.untilOffline('not-enrolled');
  expect(pem(device)).not.toBe(key);
  expect(existsSync(join(device.state, 'forget'))).toBe(false);
});
