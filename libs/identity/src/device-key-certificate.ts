import { check, type DeviceKeyCertificate, type Ed25519Jwk } from '@bowline/messages';
import { deviceKeyCertificate } from '@bowline/messages/tunnel';
import { RejectedError } from '@bowline/runtime/errors';
import { CompactSign, compactVerify, importJWK } from 'jose';
import { thumbprint, type SigningKey } from './key.ts';

/** The same key may sign grants: neither is to pass for the other. */
const TYPE = 'bowline-device-key';

/** An authority's word for a device's key, for operators who need not believe the server then (ADR 0039). */
export function signDeviceKeyCertificate(
  authority: SigningKey,
  { deviceId, key: { kty, crv, x }, nowMs }: { deviceId: string; key: Ed25519Jwk; nowMs: number },
): Promise<string> {
  const certificate: DeviceKeyCertificate = {
    deviceId,
    key: { kty, crv, x },
    iat: Math.floor(nowMs / 1000),
  };
  check(deviceKeyCertificate, certificate, 'certificate');
  return new CompactSign(new TextEncoder().encode(JSON.stringify(certificate)))
    .setProtectedHeader({ alg: 'EdDSA', kid: authority.thumbprint, typ: TYPE })
    .sign(authority.sign);
}

/** @throws RejectedError `bad-device-certificate` */
export async function verifyDeviceKeyCertificate(
  jws: string,
  authority: Ed25519Jwk,
): Promise<DeviceKeyCertificate> {
  const refuse = (why: string, cause?: unknown) =>
    new RejectedError('bad-device-certificate', why, { cause });
  try {
    const key = await importJWK({ ...authority }, 'EdDSA');
    const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['EdDSA'] });
    const { typ, kid } = protectedHeader;
    if (typ !== TYPE) throw refuse('it is no certificate of a device key');
    if (kid !== (await thumbprint(authority))) throw refuse('it names another authority');
    const text = new TextDecoder().decode(payload);
    return check<DeviceKeyCertificate>(deviceKeyCertificate, JSON.parse(text), 'certificate');
  } catch (cause) {
    if (cause instanceof RejectedError) throw cause;
    throw refuse('it was not signed by that authority', cause);
  }
}
