import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, signDeviceKeyCertificate, type SigningKey } from '@bowline/identity';
import { temporaryFolder } from '@bowline/testing';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { deviceKeyFor, knownKey, rememberKey, type Expected } from './known-devices.ts';

const [SERVER, DEVICE] = ['https://fleet.example', 'press-7'];

let own: SigningKey;
let other: SigningKey;
let authority: SigningKey;
beforeAll(async () => {
  [own, other, authority] = (await Promise.all([createKey(), createKey(), createKey()])) as [
    SigningKey,
    SigningKey,
    SigningKey,
  ];
});

let folder: string;
let env: Record<string, string>;
let certified: Expected['certified'];
beforeEach(() => {
  folder = temporaryFolder();
  env = { BOWLINE_KNOWN_DEVICES: join(folder, 'known.json') };
  certified = { authority: join(folder, 'ca.json'), file: join(folder, 'certificates') };
  writeFileSync(certified.authority, JSON.stringify({ jwk: authority.publicJwk }));
  writeFileSync(certified.file, '\n');
});
const told = (key: SigningKey, expected: Partial<Expected> = {}) =>
  deviceKeyFor(
    env,
    { server: SERVER, deviceId: DEVICE, key: key.publicJwk },
    { pinned: undefined, certified: undefined, ...expected },
  );
async function certify(
  key: SigningKey,
  { by = authority, deviceId = DEVICE, nowMs = 1_700_000_000_000 } = {},
) {
  const certificate = await signDeviceKeyCertificate(by, { deviceId, key: key.publicJwk, nowMs });
  appendFileSync(join(folder, 'certificates'), `${certificate}\n`);
}
const code = (expected: string) => expect.objectContaining({ code: expected });

test('when a device was not known, its key is kept, and another one is refused from then on', async () => {
  expect(await told(own)).toEqual(own.publicJwk);
  await expect(told(other)).rejects.toEqual(code('device-key-changed'));
  expect(await told(other, { pinned: other.thumbprint })).toEqual(other.publicJwk);
  await expect(told(own)).rejects.toEqual(code('device-key-changed'));
});

test('when its key was read at the enrolment, the server cannot name another the first time', async () => {
  rememberKey(env, { server: SERVER, deviceId: DEVICE, key: own.publicJwk });
  await expect(told(other)).rejects.toEqual(code('device-key-changed'));
  expect(await told(own)).toEqual(own.publicJwk);
  expect(knownKey(env, 'https://elsewhere.example', DEVICE)).toBeUndefined();
});

test('when an authority has certified its key, the server cannot name another, whatever was known before', async () => {
  await certify(own);
  await expect(told(other, { certified })).rejects.toEqual(code('wrong-device-key'));
  rememberKey(env, { server: SERVER, deviceId: DEVICE, key: other.publicJwk });
  expect(await told(own, { certified })).toEqual(own.publicJwk);
  expect(knownKey(env, SERVER, DEVICE)).toEqual(own.publicJwk);
});

test('when it was certified twice, the latest counts, and what others have signed counts for nothing', async () => {
  await certify(own, { nowMs: 1_700_000_009_000 });
  await certify(other, { nowMs: 1_700_000_001_000 });
  await certify(other, { by: other, nowMs: 1_800_000_000_000 });
  appendFileSync(join(folder, 'certificates'), 'what an editor left\n');
  expect(await told(own, { certified })).toEqual(own.publicJwk);
  await expect(told(other, { certified })).rejects.toEqual(code('wrong-device-key'));
});

test('when the authority has certified other devices alone, no session begins', async () => {
  await certify(own, { deviceId: 'press-8' });
  await expect(told(own, { certified })).rejects.toEqual(code('device-not-certified'));
  expect(knownKey(env, SERVER, DEVICE)).toBeUndefined();
});
