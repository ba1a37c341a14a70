import type { SignedCommand, SignedUpdate, TrustBundle } from '@bowline/messages';
import { CompactSign } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { createKey, type SigningKey } from '../key.ts';
import { checkTime, signClaims, verifyClaims } from './signed-claims.ts';

const NOW = Date.UTC(2026, 0, 1);
const SECONDS = NOW / 1000;
const ORDER = '01900000-0000-7000-8000-000000000001';
const OTHER = '01900000-0000-7000-8000-000000000002';

let keys: Record<'root' | 'update' | 'access' | 'command' | 'stranger', SigningKey>;
let bundle: TrustBundle;
beforeAll(async () => {
  const made = await Promise.all(Array.from({ length: 5 }, () => createKey()));
  const [root, update, access, command, stranger] = made as [
    SigningKey,
    SigningKey,
    SigningKey,
    SigningKey,
    SigningKey,
  ];
  keys = { root, update, access, command, stranger };
  bundle = {
    version: 3,
    keys: {
      root: [root.publicJwk],
      update: [update.publicJwk],
      access: [access.publicJwk],
      command: [command.publicJwk],
    },
    threshold: 1,
  };
});
const expected = () => ({ bundle, deviceId: 'd1', groups: ['kitchen'], orderId: ORDER });
const claims = (change: Partial<SignedCommand> = {}): SignedCommand => ({
  orderId: ORDER,
  aud: 'd1',
  name: 'reboot',
  exp: SECONDS + 60,
  ...change,
});
const verify = async (change: Partial<SignedCommand> = {}, key = keys.command) => {
  const verified = await verifyClaims(
    'command',
    await signClaims('command', key, claims(change)),
    expected(),
  );
  checkTime(verified.claims, NOW);
  return verified;
};

describe('verifyClaims', () => {
  test('when a command key signed it for this device or a group of it, the claims come back', async () => {
    expect(await verify({ params: { a: 1 } })).toEqual({
      claims: claims({ params: { a: 1 } }),
      signer: keys.command.thumbprint,
    });
    expect((await verify({ aud: 'group:kitchen' })).claims.aud).toBe('group:kitchen');
  });

  test.each(['update', 'access', 'root'] as const)(
    'when a key for %s signed a command, its role is wrong',
    async (role) => {
      await expect(verify({}, keys[role])).rejects.toMatchObject({ code: 'wrong-role' });
    },
  );

  test('when a stranger signed it, it is refused', async () => {
    await expect(verify({}, keys.stranger)).rejects.toMatchObject({ code: 'unknown-signer' });
  });

  test.each([
    ['wrong-audience', { aud: 'd2' }],
    ['wrong-audience', { aud: 'group:cellar' }],
    ['wrong-order', { orderId: OTHER }],
    ['signature-expired', { exp: SECONDS }],
    ['signature-too-long', { exp: SECONDS + 8 * 24 * 3600 }],
    ['not-yet-valid', { nbf: SECONDS + 31 }],
  ])('when it is refused as %s, the claim says why: %j', async (code, change) => {
    await expect(verify(change)).rejects.toMatchObject({ code });
  });

  test('when the payload was exchanged, the signature does not fit', async () => {
    const jws = await signClaims('command', keys.command, claims());
    const [header, , signature] = jws.split('.');
    const forged = Buffer.from(JSON.stringify(claims({ name: 'erase' }))).toString('base64url');
    await expect(
      verifyClaims('command', `${header}.${forged}.${signature}`, expected()),
    ).rejects.toMatchObject({ code: 'bad-signature' });
  });

  test.each([
    ['alg none', { alg: 'none', kid: 'KID' }],
    ['alg HS256', { alg: 'HS256', kid: 'KID' }],
    ['no kid', { alg: 'EdDSA' }],
  ])('when the header says %s, it is refused', async (_, header) => {
    const text = JSON.stringify(header).replace('KID', keys.command.thumbprint);
    const jws = await signClaims('command', keys.command, claims());
    const [, payload, signature] = jws.split('.');
    const forged = `${Buffer.from(text).toString('base64url')}.${payload}.${signature}`;
    await expect(verifyClaims('command', forged, expected())).rejects.toMatchObject({
      code: 'bad-signature',
    });
  });

  test('when a good key signed something else, it is refused by its shape', async () => {
    const sign = (payload: Uint8Array) =>
      new CompactSign(payload)
        .setProtectedHeader({ alg: 'EdDSA', kid: keys.command.thumbprint })
        .sign(keys.command.sign);
    const { exp: _, ...withoutExpiry } = claims();
    for (const payload of [JSON.stringify(withoutExpiry), '"text"', '['.repeat(50)])
      await expect(
        verifyClaims('command', await sign(new TextEncoder().encode(payload)), expected()),
      ).rejects.toMatchObject({ code: 'bad-claims' });
    await expect(verifyClaims('command', await sign(Uint8Array.of(0xff)), expected())).rejects.toMatchObject({
      code: 'bad-claims',
    });
    await expect(verifyClaims('command', 'no.jws', expected())).rejects.toMatchObject({
      code: 'bad-signature',
    });
  });

  test('when an update order names no order, it is good for any one order', async () => {
    const update: SignedUpdate = { aud: 'd1', jti: 'j1', channel: 'stable', exp: SECONDS + 60 };
    const jws = await signClaims('softwareUpdate', keys.update, update);
    expect((await verifyClaims('softwareUpdate', jws, expected())).claims).toEqual(update);
    await expect(verifyClaims('sshAccess', jws, expected())).rejects.toMatchObject({ code: 'wrong-role' });
  });
});
