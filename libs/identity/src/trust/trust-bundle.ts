import { check, type Ed25519Jwk, type TrustBundle, type TrustBundleJws } from '@bowline/messages';
import { trustBundle } from '@bowline/messages/trust';
import { RejectedError } from '@bowline/runtime/errors';
import { GeneralSign, generalVerify, importJWK } from 'jose';
import { thumbprint, type SigningKey } from '../key.ts';

/** Signs a bundle with each root key given (protocol, section 7). */
export async function signTrustBundle(
  bundle: TrustBundle,
  rootKeys: readonly SigningKey[],
): Promise<TrustBundleJws> {
  const jws = new GeneralSign(new TextEncoder().encode(JSON.stringify(bundle)));
  for (const key of rootKeys)
    jws.addSignature(key.sign).setProtectedHeader({ alg: 'EdDSA', kid: key.thumbprint });
  const { payload, signatures } = await jws.sign();
  return {
    payload,
    signatures: signatures.map(({ protected: header = '', signature }) => ({ protected: header, signature })),
  };
}

/**
 * A first bundle is good if the root key with the thumbprint that the device was given is in it and signed it. A later
 * one rises in version and is signed by `threshold` root keys of the bundle held and of its own.
 *
 * @throws RejectedError `untrusted-bundle`, `bundle-rollback`
 */
export async function verifyTrustBundle(
  jws: TrustBundleJws,
  against: { rootThumbprint: string } | { held: TrustBundle },
): Promise<TrustBundle> {
  const bundle = readTrustBundle(jws);
  const signers = await trustSigners(jws, bundle);
  if ('rootThumbprint' in against) {
    if (!signers.includes(against.rootThumbprint)) {
      throw new RejectedError(
        'untrusted-bundle',
        'the bundle is not signed by the root key that the token names',
      );
    }
    return bundle;
  }
  const { held } = against;
  if (bundle.version <= held.version) {
    throw new RejectedError('bundle-rollback', `version ${bundle.version} is not above ${held.version}`);
  }
  if ((await signersOf(jws, held.keys.root)).size < held.threshold) {
    throw new RejectedError(
      'untrusted-bundle',
      `the bundle needs ${held.threshold} signatures of the root keys held`,
    );
  }
  return bundle;
}

/**
 * What a bundle says, unproven: for one whose signatures were checked before, or to be shown.
 *
 * @throws RejectedError `untrusted-bundle`: it breaks its schema.
 */
export function readTrustBundle({ payload }: Pick<TrustBundleJws, 'payload'>): TrustBundle {
  try {
    return check<TrustBundle>(trustBundle, JSON.parse(Buffer.from(payload, 'base64url').toString()), 'trust');
  } catch (error) {
    throw new RejectedError('untrusted-bundle', error instanceof Error ? error.message : 'unreadable', {
      cause: error,
    });
  }
}

/**
 * The root keys of a bundle that signed it, by thumbprint; at least one.
 *
 * @throws RejectedError `untrusted-bundle`: fewer than its own threshold.
 */
export async function trustSigners(jws: TrustBundleJws, bundle: TrustBundle): Promise<[string, ...string[]]> {
  const [first, ...others] = await signersOf(jws, bundle.keys.root);
  if (first === undefined || 1 + others.length < bundle.threshold) {
    throw new RejectedError(
      'untrusted-bundle',
      `the bundle needs ${bundle.threshold} signatures of its own root keys`,
    );
  }
  return [first, ...others];
}

/** Thumbprints of those keys whose signature over the bundle is good, each counted once. */
async function signersOf(jws: TrustBundleJws, keys: readonly Ed25519Jwk[]): Promise<Set<string>> {
  const signers = new Set<string>();
  for (const key of keys) {
    const kid = await thumbprint(key);
    const imported = await importJWK({ ...key }, 'EdDSA');
    for (const signature of jws.signatures) {
      const good = await generalVerify({ payload: jws.payload, signatures: [signature] }, imported, {
        algorithms: ['EdDSA'],
      }).then(
        ({ protectedHeader }) => protectedHeader?.kid === kid,
        () => false,
      );
      if (good) signers.add(kid);
    }
  }
  return signers;
}
