import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrustBundle } from '@bowline/messages';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createKey,
  loadOrCreateKey,
  parseEnrolmentToken,
  signEnrolmentProof,
  signLinkToken,
  signTrustBundle,
  verifyEnrolmentProof,
  verifyLinkToken,
  verifyTrustBundle,
  type SigningKey,
} from './index.ts';

const NOW = Date.UTC(2026, 0, 1);
const device = {
  os: 'linux',
  arch: 'x64',
  bootId: 'a9d0ffbe-6c3c-4c1b-8f0c-0d6f3c3f0b11',
  agentVersion: '0.1.0',
};
const origin = 'https://fleet.example';

describe('link token', () => {
  const expected = (key: SigningKey) => ({
    deviceId: 'd1',
    serverId: 's1',
    publicKey: key.publicJwk,
    nowMs: NOW,
  });

  it('when signed by the device for this server, it is accepted with its jti', async () => {
    const key = await createKey();
    const token = await signLinkToken(key, { deviceId: 'd1', serverId: 's1', nowMs: NOW });
    expect(await verifyLinkToken(token, expected(key))).toMatchObject({ exp: NOW / 1000 + 60 });
  });

  it.each([
    ['another device', { deviceId: 'd2' }],
    ['another server', { serverId: 's2' }],
    ['91 s later', { nowMs: NOW + 91_000 }],
    ['31 s before it was signed', { nowMs: NOW - 31_000 }],
  ])('when checked for %s, it is refused', async (_, change) => {
    const key = await createKey();
    const token = await signLinkToken(key, { deviceId: 'd1', serverId: 's1', nowMs: NOW });
    await expect(verifyLinkToken(token, { ...expected(key), ...change })).rejects.toMatchObject({
      code: 'bad-token',
    });
  });

  it.each([-29_000, 89_000])('when the clocks differ by %d ms, it is still accepted', async (difference) => {
    const key = await createKey();
    const token = await signLinkToken(key, { deviceId: 'd1', serverId: 's1', nowMs: NOW });
    await verifyLinkToken(token, { ...expected(key), nowMs: NOW + difference });
  });

  it('when another key signed it, it is refused', async () => {
    const token = await signLinkToken(await createKey(), { deviceId: 'd1', serverId: 's1', nowMs: NOW });
    await expect(verifyLinkToken(token, expected(await createKey()))).rejects.toMatchObject({
      code: 'bad-token',
    });
  });

  it('when it lives longer than 60 s, or its header says more than it may, it is refused', async () => {
    const key = await createKey();
    const claims = (exp: number) =>
      new SignJWT({ iss: 'd1', sub: 'd1', aud: 's1', iat: NOW / 1000, exp, jti: 'x' });
    const long = await claims(NOW / 1000 + 61)
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(key.sign);
    const odd = await claims(NOW / 1000 + 60)
      .setProtectedHeader({ alg: 'EdDSA', kid: 'x' })
      .sign(key.sign);
    await expect(verifyLinkToken(long, expected(key))).rejects.toMatchObject({ code: 'bad-token' });
    await expect(verifyLinkToken(odd, expected(key))).rejects.toMatchObject({ code: 'bad-token' });
  });
});

describe('enrolment proof', () => {
  it('when signed by the enrolled key, it yields what was signed', async () => {
    const key = await createKey();
    const jws = await signEnrolmentProof(key, { token: 't', device, origin, nowMs: NOW });
    const proof = await verifyEnrolmentProof(jws, { publicKey: key.publicJwk, origin, nowMs: NOW + 299_000 });
    expect(proof).toMatchObject({ token: 't', device });
  });

  it('when the clock is more than 5 minutes off, it says so, and any other fault is a bad proof', async () => {
    const key = await createKey();
    const jws = await signEnrolmentProof(key, { device, origin, nowMs: NOW });
    const publicKey = key.publicJwk;
    await expect(
      verifyEnrolmentProof(jws, { publicKey, origin, nowMs: NOW + 301_000 }),
    ).rejects.toMatchObject({
      code: 'clock-off',
    });
    await expect(
      verifyEnrolmentProof(jws, { publicKey, origin: 'https://evil.example', nowMs: NOW }),
    ).rejects.toMatchObject({ code: 'bad-proof' });
    const foreign = (await createKey()).publicJwk;
    await expect(verifyEnrolmentProof(jws, { publicKey: foreign, origin, nowMs: NOW })).rejects.toMatchObject(
      {
        code: 'bad-proof',
      },
    );
  });
});

describe('trust bundle', () => {
  const bundle = (version: number, roots: SigningKey[], threshold = 1): TrustBundle => ({
    version,
    keys: { root: roots.map((root) => root.publicJwk), update: [], access: [], command: [] },
    threshold,
  });

  it('when the named root key signed the first bundle, it is trusted; any other server is refused', async () => {
    const [root, evil] = [await createKey(), await createKey()];
    const { thumbprint: rootThumbprint } = root;
    const good = await signTrustBundle(bundle(1, [root]), [root]);
    expect(await verifyTrustBundle(good, { rootThumbprint })).toMatchObject({ version: 1 });

    const forged = await signTrustBundle(bundle(1, [evil]), [evil]);
    await expect(verifyTrustBundle(forged, { rootThumbprint })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
    const listedOnly = await signTrustBundle(bundle(1, [root, evil]), [evil]);
    await expect(verifyTrustBundle(listedOnly, { rootThumbprint })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
    const payload = Buffer.from(JSON.stringify(bundle(2, [root]))).toString('base64url');
    await expect(verifyTrustBundle({ ...good, payload }, { rootThumbprint })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
  });

  it('when roots rotate, threshold keys of the old and of the new bundle must have signed', async () => {
    const [a, b, c] = [await createKey(), await createKey(), await createKey()];
    const held = bundle(1, [a, b], 2);
    const next = bundle(2, [b, c], 2);
    await expect(verifyTrustBundle(await signTrustBundle(next, [b, c]), { held })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
    expect(await verifyTrustBundle(await signTrustBundle(next, [a, b, c]), { held })).toMatchObject({
      version: 2,
    });
    await expect(verifyTrustBundle(await signTrustBundle(held, [a, b]), { held })).rejects.toMatchObject({
      code: 'bundle-rollback',
    });
  });

  it('when one key signs twice, it counts once', async () => {
    const [a, b] = [await createKey(), await createKey()];
    const jws = await signTrustBundle(bundle(1, [a, b], 2), [a, a]);
    await expect(verifyTrustBundle(jws, { rootThumbprint: a.thumbprint })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
  });
});

describe('key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-key-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('when there is none, one is made 0600 and found again; when it is damaged, it is not replaced', async () => {
    const file = join(folder, 'device.pem');
    const made = await loadOrCreateKey(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await loadOrCreateKey(file)).thumbprint).toBe(made.thumbprint);
    writeFileSync(file, 'garbage');
    await expect(loadOrCreateKey(file)).rejects.toMatchObject({ code: 'bad-key' });
  });
});

describe('enrolment token', () => {
  it('when it is not SECRET.THUMBPRINT, it is refused with the form in the message', () => {
    const rootThumbprint = 'a'.repeat(43);
    expect(parseEnrolmentToken(`${'s'.repeat(22)}.${rootThumbprint}\n`)).toMatchObject({ rootThumbprint });
    expect(() => parseEnrolmentToken('cut-off')).toThrow(/SECRET\.THUMBPRINT/);
  });
});
