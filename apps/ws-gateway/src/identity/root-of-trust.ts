import { parseEnrolmentToken, verifyTrustBundle } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import type { TrustedBy } from '@bowline/messages/hub/apps';
import { RejectedError } from '@bowline/runtime/errors';

/** Whom a first trust bundle must be signed by. */
export type RootOfTrust =
  { trustedBy: 'factory-root' | 'token'; rootThumbprint: string } | { trustedBy: 'first-use' };

/**
 * A root installed in the factory wins over any token; with neither, only a person may say that the first server to answer
 * is to be believed (protocol, section 7).
 *
 * @throws RejectedError `bad-enrolment-token`, `no-root`
 */
export function chooseRoot({
  factoryRoot,
  token,
  trustOnFirstUse,
}: {
  factoryRoot: string | undefined;
  token: string | undefined;
  trustOnFirstUse: boolean;
}): RootOfTrust {
  if (factoryRoot !== undefined) return { trustedBy: 'factory-root', rootThumbprint: factoryRoot };
  if (token !== undefined)
    return { trustedBy: 'token', rootThumbprint: parseEnrolmentToken(token).rootThumbprint };
  if (trustOnFirstUse) return { trustedBy: 'first-use' };
  throw new RejectedError(
    'no-root',
    'nothing says whom to trust: give a token, set enrolment.factoryRoot, or say --trust-on-first-use',
  );
}

/**
 * @returns whom the device trusts from now on.
 * @throws RejectedError `untrusted-bundle`: the server cannot show that root.
 */
export async function proveRoot(
  trust: TrustBundleJws,
  root: RootOfTrust,
): Promise<{ rootThumbprint: string; trustedBy: TrustedBy }> {
  const rootThumbprint = root.trustedBy === 'first-use' ? firstSigner(trust) : root.rootThumbprint;
  await verifyTrustBundle(trust, { rootThumbprint });
  return { rootThumbprint, trustedBy: root.trustedBy };
}

/** The key that the bundle itself says signed it; whether it did is checked like any other. */
function firstSigner({ signatures }: TrustBundleJws): string {
  try {
    const header = Buffer.from(signatures[0]?.protected ?? '', 'base64url').toString();
    const { kid } = JSON.parse(header) as { kid?: unknown };
    if (typeof kid === 'string') return kid;
  } catch {
    // told below
  }
  throw new RejectedError('untrusted-bundle', 'the bundle does not say which key signed it');
}
