import type { TrustBundle, TrustBundleJws } from '@bowline/messages';
import { FlattenedSign } from 'jose';
import { thumbprint, type SigningKey } from '../key.ts';

/** A bundle that does not have all its signatures yet; with them it is what is published. */
export type TrustDraft = TrustBundleJws;

/** A bundle as those will see it who sign it, one after the other: its bytes are fixed from here on. */
export const draftOf = (bundle: TrustBundle): TrustDraft => ({
  payload: Buffer.from(JSON.stringify(bundle)).toString('base64url'),
  signatures: [],
});

/** Adds the signature of one root key, in place of an earlier one by the same key. */
export async function addSignature(draft: TrustDraft, key: SigningKey): Promise<TrustDraft> {
  const { protected: header = '', signature } = await new FlattenedSign(
    Buffer.from(draft.payload, 'base64url'),
  )
    .setProtectedHeader({ alg: 'EdDSA', kid: await thumbprint(key.publicJwk) })
    .sign(key.sign);
  const others = draft.signatures.filter((each) => each.protected !== header);
  return { ...draft, signatures: [...others, { protected: header, signature }] };
}
