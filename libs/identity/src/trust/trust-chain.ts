import type { TrustBundle, TrustBundleJws } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import { readTrustBundle, verifyTrustBundle } from './trust-bundle.ts';

/** Most bundles that are kept for those who fell behind; the oldest go first. */
const MAX_BUNDLES = 64;

/** One bundle of a chain, read. */
export interface ChainedBundle {
  jws: TrustBundleJws;
  bundle: TrustBundle;
}

/**
 * The newest bundle, and before it those without which somebody who holds an older one could not follow: in effect one for
 * each change of the root keys. Each is signed by the root keys of the one before it.
 *
 * @returns the chain with `jws` as its end; the same chain if that is its end already.
 * @throws RejectedError `untrusted-bundle`, `bundle-rollback`.
 */
export async function extendChain(
  chain: readonly ChainedBundle[],
  jws: TrustBundleJws,
): Promise<readonly ChainedBundle[]> {
  const last = chain.at(-1);
  if (last === undefined)
    throw new RejectedError('untrusted-bundle', 'no bundle is held, so none can follow');
  if (last.jws.payload === jws.payload) return chain;
  const bundle = await verifyTrustBundle(jws, { held: last.bundle });
  const before = chain.at(-2);
  const needsLast = before === undefined || !(await follows(jws, before.bundle));
  return [...(needsLast ? chain : chain.slice(0, -1)), { jws, bundle }].slice(-MAX_BUNDLES);
}

/** A chain as it is stored: payloads are read, signatures were checked when it was made. */
export const readChain = (stored: readonly TrustBundleJws[]): ChainedBundle[] =>
  stored.map((jws) => ({ jws, bundle: readTrustBundle(jws) }));

const follows = (jws: TrustBundleJws, held: TrustBundle): Promise<boolean> =>
  verifyTrustBundle(jws, { held }).then(
    () => true,
    () => false,
  );
