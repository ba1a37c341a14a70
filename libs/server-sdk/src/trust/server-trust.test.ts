import { createKey, signTrustBundle, type SigningKey } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServerTrust } from './server-trust.ts';

let root: SigningKey;
let stored: readonly TrustBundleJws[];
let trust: ServerTrust;
beforeEach(async () => {
  root = await createKey();
  stored = [await signed(1)];
  trust = await ServerTrust.load(stored, (chain) => (stored = chain));
});

const signed = (version: number, more: SigningKey[] = []) => {
  const access = more.map(({ publicJwk }) => publicJwk);
  const keys = { root: [root.publicJwk], update: [], access, command: [] };
  return signTrustBundle({ version, keys, threshold: 1 }, [root]);
};

const rollback = { status: 'rejected', reason: expect.objectContaining({ code: 'bundle-rollback' }) };
const taken = { status: 'fulfilled' };

describe('ServerTrust', () => {
  it('when an older bundle comes while a newer one is being checked, the older one is refused', async () => {
    const [newer, older] = await Promise.all([signed(3), signed(2)]);
    const published = await Promise.allSettled([trust.publish(newer), trust.publish(older)]);
    expect(published).toMatchObject([taken, rollback]);
    expect(trust.current.jws).toEqual(newer);
    expect(stored.at(-1)).toEqual(newer);
  });

  it('when two bundles of one version come at once, one is taken', async () => {
    const [one, other] = await Promise.all([signed(2), signed(2, [await createKey()])]);
    const published = await Promise.allSettled([trust.publish(one), trust.publish(other)]);
    expect(published).toMatchObject([taken, rollback]);
    expect(stored.at(-1)).toEqual(one);
  });

  it('when one is refused, the next one is judged all the same', async () => {
    const refused = trust.publish(await signed(1, [await createKey()]));
    const next = trust.publish(await signed(2));
    await expect(refused).rejects.toMatchObject({ code: 'bundle-rollback' });
    expect((await next).bundle.version).toBe(2);
  });
});
