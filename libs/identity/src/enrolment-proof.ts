import { check, type Ed25519Jwk, type EnrolmentDevice, type EnrolmentProof } from '@bowline/messages';
import { enrolmentProof } from '@bowline/messages/http';
import { RejectedError } from '@bowline/runtime/errors';
import { CompactSign, compactVerify, importJWK } from 'jose';
import { thumbprint, type SigningKey } from './key.ts';

/** How far `iat` of a proof may be off (protocol, section 7). */
export const PROOF_LEEWAY_SECONDS = 300;

/** Proves possession of the key that is being enrolled (protocol, section 7). `origin` is the server's, e.g. https://host. */
export function signEnrolmentProof(
  key: SigningKey,
  {
    token,
    device,
    origin,
    nowMs,
  }: { token?: string; device: EnrolmentDevice; origin: string; nowMs: number },
): Promise<string> {
  const proof: EnrolmentProof = {
    ...(token === undefined ? {} : { token }),
    device,
    aud: origin,
    iat: Math.floor(nowMs / 1000),
  };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(proof)))
    .setProtectedHeader({ alg: 'EdDSA', kid: key.thumbprint })
    .sign(key.sign);
}

/**
 * @returns what the key signed; the caller compares `token` and `device` with the request's.
 * @throws RejectedError `bad-proof`; `clock-off` if only the time is wrong (the device signs once more with serverTime).
 */
export async function verifyEnrolmentProof(
  jws: string,
  { publicKey, origin, nowMs }: { publicKey: Ed25519Jwk; origin: string; nowMs: number },
): Promise<EnrolmentProof> {
  const proof = await verified(jws, publicKey);
  if (proof.aud !== origin) throw new RejectedError('bad-proof', `aud must be ${origin}`);
  if (Math.abs(proof.iat - nowMs / 1000) > PROOF_LEEWAY_SECONDS) {
    throw new RejectedError('clock-off', 'iat is more than 5 minutes off; sign again with serverTime');
  }
  return proof;
}

async function verified(jws: string, publicKey: Ed25519Jwk): Promise<EnrolmentProof> {
  try {
    const { payload, protectedHeader } = await compactVerify(
      jws,
      await importJWK({ ...publicKey }, 'EdDSA'),
      {
        algorithms: ['EdDSA'],
      },
    );
    if (protectedHeader.kid !== (await thumbprint(publicKey))) {
      throw new RejectedError('bad-proof', 'kid must be the thumbprint of publicKey');
    }
    return check<EnrolmentProof>(enrolmentProof, JSON.parse(new TextDecoder().decode(payload)), 'proof');
  } catch (error) {
    if (error instanceof RejectedError) throw error;
    throw new RejectedError('bad-proof', error instanceof Error ? error.message : 'not a proof', {
      cause: error,
    });
  }
}
