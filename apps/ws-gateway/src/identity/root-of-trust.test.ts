import { createKey, signTrustBundle } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import { describe, expect, it } from 'vitest';
import { chooseRoot, proveRoot } from './root-of-trust.ts';

const thumbprint = (letter: string) => letter.repeat(43);
const token = `${'s'.repeat(32)}.${thumbprint('t')}`;
const none = { factoryRoot: undefined, token: undefined, trustOnFirstUse: false };

describe('chooseRoot', () => {
  it('when a token is given, its root counts, also where trust on first use is allowed', () => {
    const expected = { trustedBy: 'token', rootThumbprint: thumbprint('t') };
    expect(chooseRoot({ ...none, token })).toEqual(expected);
    expect(chooseRoot({ ...none, token, trustOnFirstUse: true })).toEqual(expected);
  });

  it('when the factory has put a root there, it wins over token and first use', () => {
    const factoryRoot = thumbprint('f');
    const expected = { trustedBy: 'factory-root', rootThumbprint: factoryRoot };
    expect(chooseRoot({ factoryRoot, token, trustOnFirstUse: true })).toEqual(expected);
    expect(chooseRoot({ ...none, factoryRoot })).toEqual(expected);
  });

  it('when there is neither, only the word of a person helps', () => {
    expect(() => chooseRoot(none)).toThrow(expect.objectContaining({ code: 'no-root' }));
    expect(chooseRoot({ ...none, trustOnFirstUse: true })).toEqual({ trustedBy: 'first-use' });
  });

  it('when the token is not whole, it is refused', () => {
    expect(() => chooseRoot({ ...none, token: 'half' })).toThrow(
      expect.objectContaining({ code: 'bad-enrolment-token' }),
    );
  });
});

describe('proveRoot', () => {
  const bundleOf = async () => {
    const [root, other] = [await createKey(), await createKey()];
    const keys = { root: [root.publicJwk], update: [], access: [], command: [] };
    return { root, other, trust: await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]) };
  };

  it('when the server shows the root, that is whom the device trusts', async () => {
    const { root, trust } = await bundleOf();
    const rootThumbprint = root.thumbprint;
    expect(await proveRoot(trust, { trustedBy: 'token', rootThumbprint })).toEqual({
      trustedBy: 'token',
      rootThumbprint,
    });
    expect(await proveRoot(trust, { trustedBy: 'first-use' })).toEqual({
      trustedBy: 'first-use',
      rootThumbprint,
    });
  });

  it('when it shows another, it is refused', async () => {
    const { other, trust } = await bundleOf();
    const wanted = { trustedBy: 'token', rootThumbprint: other.thumbprint } as const;
    await expect(proveRoot(trust, wanted)).rejects.toMatchObject({ code: 'untrusted-bundle' });
  });

  it.each<[string, (trust: TrustBundleJws) => TrustBundleJws]>([
    ['was changed', (trust) => ({ ...trust, payload: `${trust.payload.slice(0, -4)}AAAA` })],
    ['says nothing of its signer', (trust) => withHeader(trust, {})],
    ['has an unreadable header', (trust) => ({ ...trust, signatures: [{ protected: '%', signature: 'x' }] })],
    [
      'names a signer that is not in it',
      (trust) => withHeader(trust, { alg: 'EdDSA', kid: thumbprint('x') }),
    ],
  ])('when the bundle %s, first use does not make it good', async (_, change) => {
    const { trust } = await bundleOf();
    await expect(proveRoot(change(trust), { trustedBy: 'first-use' })).rejects.toMatchObject({
      code: 'untrusted-bundle',
    });
  });
});

const withHeader = (trust: TrustBundleJws, header: object): TrustBundleJws => ({
  ...trust,
  signatures: trust.signatures.map(({ signature }) => ({
    protected: Buffer.from(JSON.stringify(header)).toString('base64url'),
    signature,
  })),
});
