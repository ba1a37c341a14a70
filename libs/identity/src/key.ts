import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { Ed25519Jwk } from '@bowline/messages';
import { ConfigError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';

/** An Ed25519 key pair of ours. The private half never leaves the machine that made it. */
export interface SigningKey {
  publicJwk: Ed25519Jwk;
  /** RFC 7638 thumbprint of the public half, base64url: the `kid` of what it signs. */
  thumbprint: string;
  sign: CryptoKey;
  /** PKCS#8 PEM, to be written to a file of mode 0600. */
  privatePem: string;
}

export async function createKey(): Promise<SigningKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  return keyFromPem(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

export async function keyFromPem(privatePem: string): Promise<SigningKey> {
  const { kty, crv, x, d } = createPrivateKey(privatePem).export({ format: 'jwk' }) as JWK;
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined || d === undefined) {
    throw new ConfigError('bad-key', 'the key is not an Ed25519 private key');
  }
  const publicJwk: Ed25519Jwk = { kty: 'OKP', crv: 'Ed25519', x };
  return {
    publicJwk,
    thumbprint: await thumbprint(publicJwk),
    sign: (await importJWK({ ...publicJwk, d }, 'EdDSA')) as CryptoKey,
    privatePem,
  };
}

/**
 * RFC 7638, SHA-256, base64url. It is how keys are told apart and counted, so each key must have only one.
 *
 * @throws ConfigError `bad-key`: `x` is another spelling of the key than base64url's own.
 */
export async function thumbprint(jwk: Ed25519Jwk): Promise<string> {
  if (Buffer.from(jwk.x, 'base64url').toString('base64url') !== jwk.x)
    throw new ConfigError('bad-key', `x of the public key is not base64url as RFC 7515 has it: ${jwk.x}`);
  return calculateJwkThumbprint({ ...jwk }, 'sha256');
}

/**
 * The key in `file`; made and stored durably (0600) if there is none.
 *
 * @throws ConfigError `bad-key` if the file holds something else: it is left alone, because a new key would need a new
 *   enrolment.
 */
export async function loadOrCreateKey(file: string): Promise<SigningKey> {
  const pem = readFileIfPresent(file);
  if (pem === undefined) {
    const key = await createKey();
    writeFileDurably(file, key.privatePem);
    return key;
  }
  try {
    return await keyFromPem(pem);
  } catch (error) {
    throw new ConfigError(
      'bad-key',
      `${file} does not hold an Ed25519 private key: restore it, or remove it and enrol the device anew`,
      { cause: error },
    );
  }
}
