import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrustBundle } from '@bowline/messages';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKey, thumbprint, type SigningKey } from '../key.ts';
import { HeldTrust } from './held-trust.ts';
import { signTrustBundle } from './trust-bundle.ts';
import { writeTrustAnchor } from './trust-anchor.ts';
import { extendChain, readChain, type ChainedBundle } from './trust-chain.ts';

let a: SigningKey;
let b: SigningKey;
let c: SigningKey;
beforeAll(async () => {
  [a, b, c] = (await Promise.all([createKey(), createKey(), createKey()])) as [
    SigningKey,
    SigningKey,
    SigningKey,
  ];
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bl-'));
  seenVersions = new Map();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bundle = (version: number, roots: SigningKey[], threshold = 1): TrustBundle => ({
  version,
  keys: { root: roots.map(({ publicJwk }) => publicJwk), update: [], access: [], command: [] },
  threshold,
});
const anchorFile = () => join(folder, 'trust-anchor.json');
/** As the app's other file keeps them. */
let seenVersions: Map<string, number>;
const versions = {
  seen: (root: string) => seenVersions.get(root) ?? 0,
  saw: (root: string, version: number) => void seenVersions.set(root, version),
};
const held = () => new HeldTrust({ file: join(folder, 'trust.json'), anchorFile: anchorFile(), versions });
const anchor = (root: SigningKey, more: object = {}) =>
  writeTrustAnchor(anchorFile(), { rootThumbprint: root.thumbprint, ...more });
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('HeldTrust', () => {
  test('when nobody said whom to trust, nothing is taken', async () => {
    await expect(held().take(await signTrustBundle(bundle(1, [a]), [a]))).rejects.toEqual(
      code('no-trust-anchor'),
    );
    expect(() => held().bundle()).toThrow(code('no-trust-anchor'));
  });

  test('when the first bundle is signed by the root of the anchor, it is taken and survives a restart', async () => {
    anchor(a);
    expect(() => held().bundle()).toThrow(code('no-trust-bundle'));
    await held().take(await signTrustBundle(bundle(1, [a]), [a]));
    expect(held().bundle().version).toBe(1);
  });

  test('when a gateway forges a first bundle with a root of its own, it is refused', async () => {
    anchor(a);
    await expect(held().take(await signTrustBundle(bundle(1, [b]), [b]))).rejects.toEqual(
      code('untrusted-bundle'),
    );
    // Names the root, but cannot sign with it.
    await expect(held().take(await signTrustBundle(bundle(1, [a, b]), [b]))).rejects.toEqual(
      code('untrusted-bundle'),
    );
  });

  test('when bundles follow, each needs the threshold of the one held and of its own, and rises', async () => {
    anchor(a);
    const trust = held();
    await trust.take(await signTrustBundle(bundle(1, [a, b], 2), [a, b]));
    const next = bundle(2, [b, c], 2);
    for (const signers of [[b, c], [a, b], [b], [c]])
      await expect(trust.take(await signTrustBundle(next, signers))).rejects.toEqual(
        code('untrusted-bundle'),
      );
    await trust.take(await signTrustBundle(next, [a, b, c]));
    for (const version of [1, 2])
      await expect(trust.take(await signTrustBundle(bundle(version, [b, c]), [a, b, c]))).rejects.toEqual(
        code('bundle-rollback'),
      );
    expect(held().version).toBe(2);
  });

  test('when one key signs twice, it counts once', async () => {
    anchor(a);
    const trust = held();
    await trust.take(await signTrustBundle(bundle(1, [a, b], 2), [a, b]));
    await expect(trust.take(await signTrustBundle(bundle(2, [a, b], 1), [a, a]))).rejects.toEqual(
      code('untrusted-bundle'),
    );
  });

  test('when one key stands in the bundle in a second spelling, the bundle is refused', async () => {
    anchor(a);
    // 32 bytes leave two bits of the last character free: four spellings of one key.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const x = a.publicJwk.x.slice(0, 42) + (alphabet[alphabet.indexOf(a.publicJwk.x.slice(42)) + 1] ?? '');
    const alias = { ...a, publicJwk: { ...a.publicJwk, x } };
    await expect(thumbprint(alias.publicJwk)).rejects.toEqual(code('bad-key'));
    await expect(held().take(await signTrustBundle(bundle(1, [a, alias], 2), [a, alias]))).rejects.toEqual(
      code('untrusted-bundle'),
    );
  });

  test('when the anchor gets another root, what was held counts no more', async () => {
    anchor(a);
    await held().take(await signTrustBundle(bundle(4, [a]), [a]));
    anchor(b);
    expect(() => held().bundle()).toThrow(code('no-trust-bundle'));
    await held().take(await signTrustBundle(bundle(1, [b]), [b]));
    expect(held().version).toBe(1);
  });

  test('when the anchor is broken or others may write it, nothing is believed', async () => {
    anchor(a);
    await held().take(await signTrustBundle(bundle(1, [a]), [a]));
    chmodSync(anchorFile(), 0o666);
    expect(() => held().bundle()).toThrow(code('trust-anchor-broken'));
    chmodSync(anchorFile(), 0o644);
    writeFileSync(anchorFile(), '{"rootThumbprint":7}');
    expect(() => held().bundle()).toThrow(code('trust-anchor-broken'));
  });

  test('when the gateway says who this device is, its first word counts for good', () => {
    anchor(a);
    expect(() => held().identity()).toThrow(code('unknown-device-id'));
    expect(held().told({ deviceId: 'd1', groups: ['x'] })).toBe(true);
    expect(held().told({ deviceId: 'd2', groups: ['x'] })).toBe(false);
    expect(held().told({ deviceId: 'd1', groups: ['x', 'y'] })).toBe(false);
    expect(held().identity()).toEqual({ deviceId: 'd1', groups: ['x'] });
  });

  test('when the anchor says who this device is, the gateway has no say', () => {
    anchor(a, { deviceId: 'd1', groups: [] });
    expect(held().told({ deviceId: 'd2', groups: ['x'] })).toBe(false);
    expect(held().identity()).toEqual({ deviceId: 'd1', groups: [] });
  });

  test.each<[string, (file: string) => void, boolean]>([
    ['does not read', (file) => writeFileSync(file, '{"rootThumbprint":'), true],
    ['is gone', (file) => rmSync(file), false],
  ])(
    'when its file %s, that shows, and no bundle older than the one it had is believed',
    async (_, harm, damaged) => {
      anchor(a);
      const old = await signTrustBundle(bundle(1, [a]), [a]);
      const trust = held();
      await trust.take(old);
      await trust.take(await signTrustBundle(bundle(3, [a]), [a]));
      expect([trust.damaged, trust.lost]).toEqual([false, false]);
      const file = join(folder, 'trust.json');
      harm(file);
      const again = held();
      expect([again.version, again.damaged, again.lost]).toEqual([0, damaged, true]);
      expect(existsSync(`${file}.damaged`)).toBe(damaged);
      // A captured gateway brings back a bundle whose keys were taken out since.
      await again.take(old);
      expect(() => again.bundle()).toThrow(code('bundle-rollback'));
      expect(held().lost).toBe(true);
      await again.take(await signTrustBundle(bundle(3, [a]), [a]));
      expect(again.bundle().version).toBe(3);
      expect(held().lost).toBe(false);
    },
  );

  test('when the device was made to forget who it was, the anchor says so and the gateway is heard once more', () => {
    anchor(a);
    held().told({ deviceId: 'd1', groups: [] });
    anchor(a, { since: 1000 });
    const trust = held();
    expect(() => trust.identity()).toThrow(code('unknown-device-id'));
    expect(trust.told({ deviceId: 'd2', groups: ['x'] })).toBe(true);
    expect(held().told({ deviceId: 'd1', groups: [] })).toBe(false);
    expect(held().identity()).toEqual({ deviceId: 'd2', groups: ['x'] });
  });
});

describe('extendChain', () => {
  const chainOf = async (...steps: [TrustBundle, SigningKey[]][]) => {
    const [[first, signers] = [bundle(1, [a]), [a]], ...rest] = steps;
    let chain: readonly ChainedBundle[] = readChain([await signTrustBundle(first, signers)]);
    for (const [next, by] of rest) chain = await extendChain(chain, await signTrustBundle(next, by));
    return chain;
  };

  test('when only other keys change, the newest replaces the one before; a change of roots stays', async () => {
    const chain = await chainOf(
      [bundle(1, [a]), [a]],
      [bundle(2, [a]), [a]],
      [bundle(3, [b]), [a, b]],
      [bundle(4, [b]), [b]],
      [bundle(5, [b]), [b]],
    );
    expect(chain.map(({ bundle: { version } }) => version)).toEqual([1, 3, 5]);
  });

  test('when somebody who holds any of its bundles follows it, the newest is reached', async () => {
    const chain = await chainOf(
      [bundle(1, [a]), [a]],
      [bundle(2, [b]), [a, b]],
      [bundle(3, [c]), [b, c]],
      [bundle(4, [c]), [c]],
    );
    anchor(a);
    const trust = held();
    for (const { jws } of chain) await trust.take(jws);
    expect(trust.version).toBe(4);
  });

  test('when a bundle does not follow, the chain refuses it; the last one again changes nothing', async () => {
    const chain = await chainOf([bundle(1, [a]), [a]], [bundle(2, [a]), [a]]);
    await expect(extendChain(chain, await signTrustBundle(bundle(3, [b]), [b]))).rejects.toEqual(
      code('untrusted-bundle'),
    );
    const last = chain.at(-1);
    expect(last && (await extendChain(chain, last.jws))).toBe(chain);
  });
});
