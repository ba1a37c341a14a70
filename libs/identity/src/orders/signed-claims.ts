import {
  check,
  parseFrame,
  type Ed25519Jwk,
  type SignedClaims,
  type SignedType,
  type TrustBundle,
} from '@bowline/messages';
import * as signed from '@bowline/messages/signed';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import { isTree } from '@bowline/runtime/tree';
import { CompactSign, compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { thumbprint, type SigningKey } from '../key.ts';

const validators = { ...signed };

/** Roles of the trust bundle whose keys sign orders. */
export type OrderRole = Exclude<keyof TrustBundle['keys'], 'root'>;

/** Which keys may sign what an order of this type carries (protocol, section 5). */
export const ROLE_OF = {
  command: 'command',
  softwareUpdate: 'update',
  sshAccess: 'access',
} as const satisfies Record<SignedType, OrderRole>;

/** How far the clock of a signer may be ahead of the server's. */
const NBF_LEEWAY_SECONDS = 30;
/** Nothing signed may be good for longer; what must be remembered is bounded by it. */
export const LONGEST_SIGNED_SECONDS = 7 * 24 * 3600;
/** Largest signed claims, bytes of JSON; a compact JWS has at most 64 KiB. */
const CLAIMS_BYTES = 65_536;

/** Signs what an order carries, as compact JWS (protocol, section 6, "Signed parts"). */
export function signClaims<T extends SignedType>(
  type: T,
  key: SigningKey,
  claims: SignedClaims<T>,
): Promise<string> {
  check(validators[type], claims, 'claims');
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'EdDSA', kid: key.thumbprint })
    .sign(key.sign);
}

/** What it says of itself, whoever signed it: to know what to expect, never to act upon. Undefined: it is no signed part. */
export function unverifiedClaims(jws: string): Record<string, unknown> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString());
    return isTree(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

export interface Expectations {
  bundle: TrustBundle;
  deviceId: string;
  /** Groups that the device knows itself to be in. */
  groups: readonly string[];
  orderId: string;
}

/**
 * Everything about a signed part but its time ({@link checkTime}) and its single use ({@link SpentOrders}), in this order:
 * algorithm, key and its role, signature, shape, audience, order.
 *
 * @throws RejectedError with the exact rule: `bad-signature`, `unknown-signer`, `wrong-role`, `bad-claims`,
 *   `wrong-audience`, `wrong-order`.
 */
export async function verifyClaims<T extends SignedType>(
  type: T,
  jws: string,
  expected: Expectations,
): Promise<{ claims: SignedClaims<T>; signer: string }> {
  const { jwk, kid } = await signerOf(type, jws, expected.bundle);
  const claims = await verified<T>(type, jws, jwk);
  checkAudience(claims.aud, expected);
  if (claims.orderId !== undefined && claims.orderId !== expected.orderId) {
    throw new RejectedError('wrong-order', `it was signed for order ${claims.orderId}`);
  }
  return { claims, signer: kid };
}

async function signerOf(
  type: SignedType,
  jws: string,
  { keys, version }: TrustBundle,
): Promise<{ jwk: Ed25519Jwk; kid: string }> {
  const { alg, kid } = headerOf(jws);
  if (alg !== 'EdDSA')
    throw new RejectedError('bad-signature', `alg must be EdDSA, not ${String(alg).slice(0, 32)}`);
  if (typeof kid !== 'string' || kid === '')
    throw new RejectedError('bad-signature', 'kid is missing: the thumbprint of the key that signed');
  const role = ROLE_OF[type];
  for (const jwk of keys[role]) if ((await thumbprint(jwk)) === kid) return { jwk, kid };
  for (const [other, known] of Object.entries(keys)) {
    for (const jwk of known) {
      if ((await thumbprint(jwk)) === kid)
        throw new RejectedError(
          'wrong-role',
          `key ${kid} is a key for ${other}; ${type} needs a key for ${role}`,
        );
    }
  }
  throw new RejectedError(
    'unknown-signer',
    `key ${kid.slice(0, 64)} is not among the ${role} keys of trust bundle ${version}`,
  );
}

function headerOf(jws: string): { alg?: unknown; kid?: unknown } {
  try {
    return decodeProtectedHeader(jws);
  } catch (error) {
    throw new RejectedError('bad-signature', 'it is not a compact JWS', { cause: error });
  }
}

async function verified<T extends SignedType>(
  type: T,
  jws: string,
  jwk: Ed25519Jwk,
): Promise<SignedClaims<T>> {
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(jws, await importJWK({ ...jwk }, 'EdDSA'), { algorithms: ['EdDSA'] }));
  } catch (error) {
    throw new RejectedError('bad-signature', 'the signature does not fit', { cause: error });
  }
  try {
    const claims = parseFrame(new TextDecoder('utf-8', { fatal: true }).decode(payload), CLAIMS_BYTES);
    return check<SignedClaims<T>>(validators[type], claims, 'claims');
  } catch (error) {
    const why = error instanceof BowlineError ? error.message : 'they are not UTF-8';
    throw new RejectedError('bad-claims', why, { cause: error });
  }
}

function checkAudience(aud: string, { deviceId, groups }: Expectations): void {
  if (aud === deviceId || groups.some((group) => aud === `group:${group}`)) return;
  throw new RejectedError('wrong-audience', `it was signed for ${aud}; this is ${deviceId}`);
}

/**
 * @param nowMs server time, epoch milliseconds.
 * @throws RejectedError `signature-expired`, `signature-too-long`, `not-yet-valid`.
 */
export function checkTime(
  { exp, nbf, iat }: { exp: number; nbf?: number | undefined; iat?: number | undefined },
  nowMs: number,
): void {
  const now = nowMs / 1000;
  if (exp <= now) throw new RejectedError('signature-expired', `exp was ${iso(exp)}, it is ${iso(now)}`);
  if (exp - now > LONGEST_SIGNED_SECONDS)
    throw new RejectedError('signature-too-long', 'exp is more than 7 days away');
  if (nbf !== undefined && nbf > now + NBF_LEEWAY_SECONDS)
    throw new RejectedError('not-yet-valid', `nbf is ${iso(nbf)}, it is ${iso(now)}`);
  if (iat !== undefined && iat > now + NBF_LEEWAY_SECONDS)
    throw new RejectedError('not-yet-valid', `iat is ${iso(iat)}, it is ${iso(now)}`);
}

/** Seconds → ISO 8601; a number that no date has stays one. */
function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString();
}
