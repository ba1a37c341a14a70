import { randomUUID } from 'node:crypto';
import type { Ed25519Jwk } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import { decodeProtectedHeader, importJWK, jwtVerify, SignJWT } from 'jose';
import type { SigningKey } from './key.ts';

/** Longest life of a link token (protocol, section 1). */
export const LINK_TOKEN_SECONDS = 60;
/** How far the clocks of both sides may differ. */
export const LINK_TOKEN_LEEWAY_SECONDS = 30;

export interface LinkTokenClaims {
  jti: string;
  /** Epoch seconds. A server keeps `jti` until then + 60 s. */
  exp: number;
}

/** The bearer token of one connection attempt (protocol, section 1). `nowMs` is the server's time where it is known. */
export function signLinkToken(
  key: SigningKey,
  { deviceId, serverId, nowMs }: { deviceId: string; serverId: string; nowMs: number },
): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
    .setIssuer(deviceId)
    .setSubject(deviceId)
    .setAudience(serverId)
    .setIssuedAt(iat)
    .setExpirationTime(iat + LINK_TOKEN_SECONDS)
    .setJti(randomUUID())
    .sign(key.sign);
}

/**
 * Checks everything about a link token but its single use: the caller keeps each `jti`.
 *
 * @throws RejectedError `bad-token`
 */
export async function verifyLinkToken(
  token: string,
  expected: { deviceId: string; serverId: string; publicKey: Ed25519Jwk; nowMs: number },
): Promise<LinkTokenClaims> {
  try {
    const { alg, typ, ...others } = decodeProtectedHeader(token);
    if (alg !== 'EdDSA' || (typ !== undefined && typ !== 'JWT') || Object.keys(others).length > 0) {
      throw new RejectedError('bad-token', 'header must be { alg: EdDSA }');
    }
    const { payload } = await jwtVerify(token, await importJWK({ ...expected.publicKey }, 'EdDSA'), {
      algorithms: ['EdDSA'],
      issuer: expected.deviceId,
      subject: expected.deviceId,
      audience: expected.serverId,
      currentDate: new Date(expected.nowMs),
      clockTolerance: LINK_TOKEN_LEEWAY_SECONDS,
      requiredClaims: ['iss', 'sub', 'aud', 'iat', 'exp', 'jti'],
    });
    const { iat = 0, exp = 0, jti } = payload;
    if (typeof jti !== 'string' || jti.length === 0 || jti.length > 128) {
      throw new RejectedError('bad-token', 'jti must be a string of 1 to 128 characters');
    }
    if (exp - iat > LINK_TOKEN_SECONDS) throw new RejectedError('bad-token', 'exp is too far from iat');
    if (iat > expected.nowMs / 1000 + LINK_TOKEN_LEEWAY_SECONDS) {
      throw new RejectedError('bad-token', 'iat lies in the future');
    }
    return { jti, exp };
  } catch (error) {
    if (error instanceof RejectedError) throw error;
    throw new RejectedError('bad-token', error instanceof Error ? error.message : 'not a token', {
      cause: error,
    });
  }
}
