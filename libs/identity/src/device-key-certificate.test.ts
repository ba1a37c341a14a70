import type { SignedClaims } from '@bowline/messages';
import { beforeAll, expect, test } from 'vitest';
import { signDeviceKeyCertificate, verifyDeviceKeyCertificate } from './device-key-certificate.ts';
import { createKey, type SigningKey } from './key.ts';
import { signClaims, verifyClaims } from './orders/signed-claims.ts';

let authority: SigningKey;
let device: SigningKey;
beforeAll(async () => {
  [authority, device] = (await Promise.all([createKey(), createKey()])) as [SigningKey, SigningKey];
});
const certificate = (by: SigningKey) =>
  signDeviceKeyCertificate(by, { deviceId: 'press-7', key: device.publicJwk, nowMs: 1_700_000_000_500 });
const refused = expect.objectContaining({ code: 'bad-device-certificate' });

test('when the authority signed it, it says which key the device has, and since when', async () => {
  expect(await verifyDeviceKeyCertificate(await certificate(authority), authority.publicJwk)).toEqual({
    deviceId: 'press-7',
    key: device.publicJwk,
    iat: 1_700_000_000,
  });
});

test('when somebody else signed it, or it was changed, it is refused', async () => {
  const foreign = await certificate(device);
  await expect(verifyDeviceKeyCertificate(foreign, authority.publicJwk)).rejects.toEqual(refused);
  const [header, payload, signature] = (await certificate(authority)).split('.');
  const changed = Buffer.from(payload ?? '', 'base64url')
    .toString()
    .replace('press-7', 'press-8');
  const forged = [header, Buffer.from(changed).toString('base64url'), signature].join('.');
  await expect(verifyDeviceKeyCertificate(forged, authority.publicJwk)).rejects.toEqual(refused);
  await expect(verifyDeviceKeyCertificate('nothing', authority.publicJwk)).rejects.toEqual(refused);
});

test('when the authority signs grants as well, neither passes for the other', async () => {
  const exp = Math.floor(Date.now() / 1000) + 60;
  const claims = { aud: 'press-7', jti: 'j', exp, channel: 'stable' } as SignedClaims<'softwareUpdate'>;
  const order = await signClaims('softwareUpdate', authority, claims);
  await expect(verifyDeviceKeyCertificate(order, authority.publicJwk)).rejects.toEqual(refused);
  const keys = { root: [authority.publicJwk], update: [], access: [authority.publicJwk], command: [] };
  const expected = {
    bundle: { version: 1, keys, threshold: 1 },
    deviceId: 'press-7',
    groups: [],
    orderId: 'o1',
  };
  await expect(verifyClaims('sshAccess', await certificate(authority), expected)).rejects.toEqual(
    expect.objectContaining({ code: 'bad-claims' }),
  );
});
