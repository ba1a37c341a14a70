import { check, type Ed25519Jwk, type HostKeyProof } from '@bowline/messages';
import { hostKeyProof } from '@bowline/messages/tunnel';
import { RejectedError } from '@bowline/runtime/errors';
import { CompactSign, compactVerify, importJWK } from 'jose';
import { thumbprint, type SigningKey } from './key.ts';

/** The device's word for the host key of one session (protocol, section 8), against a relay that puts its own there. */
export function signHostKeyProof(
  key: SigningKey,
  { sessionId, hostKeySha256, nowMs }: { sessionId: string; hostKeySha256: string; nowMs: number },
): Promise<string> {
  const proof: HostKeyProof = { sessionId, hostKeySha256, iat: Math.floor(nowMs / 1000) };
  check(hostKeyProof, proof, 'proof');
  return new CompactSign(new TextEncoder().encode(JSON.stringify(proof)))
    .setProtectedHeader({ alg: 'EdDSA', kid: key.thumbprint })
    .sign(key.sign);
}

/** @throws RejectedError `bad-host-key-proof`: the host key is not to be trusted. */
export async function verifyHostKeyProof(
  jws: string,
  {
    deviceKey,
    sessionId,
    hostKeySha256,
  }: { deviceKey: Ed25519Jwk; sessionId: string; hostKeySha256: string },
): Promise<void> {
  const refuse = (why: string, cause?: unknown) => new RejectedError('bad-host-key-proof', why, { cause });
  let proof: HostKeyProof;
  try {
    const key = await importJWK({ ...deviceKey }, 'EdDSA');
    const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['EdDSA'] });
    if (protectedHeader.kid !== (await thumbprint(deviceKey))) throw refuse('it names another key');
    proof = check<HostKeyProof>(hostKeyProof, JSON.parse(new TextDecoder().decode(payload)), 'proof');
  } catch (cause) {
    if (cause instanceof RejectedError) throw cause;
    throw refuse('the proof of the host key was not signed by the key of the device', cause);
  }
  if (proof.sessionId !== sessionId) throw refuse(`it is for session ${proof.sessionId}`);
  if (proof.hostKeySha256 !== hostKeySha256) throw refuse('it is for another host key');
}
