import { createHash, randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';

/** `bop_ID.SECRET`: the id finds the record, so that one hash at most is computed; the prefix lets secret scanners find leaks. */
const SHAPE = /^bop_([A-Za-z0-9_-]{12})\.[A-Za-z0-9_-]{43}$/;
const ID_BYTES = 9;
const SECRET_BYTES = 32;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** 32 MiB and some 50 ms a hash. Each record keeps its own, so that they can be raised. */
const COST = { N: 2 ** 15, r: 8, p: 1 };
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

/** What is kept of a token; base64url. */
export interface HashedToken {
  salt: string;
  hash: string;
  cost: { N: number; r: number; p: number };
}

export interface FreshToken {
  tokenId: string;
  token: string;
  hashed: HashedToken;
}

export const tokenIdOf = (token: string): string | undefined => SHAPE.exec(token)?.[1];

export async function newToken(): Promise<FreshToken> {
  const tokenId = randomBytes(ID_BYTES).toString('base64url');
  const token = `bop_${tokenId}.${randomBytes(SECRET_BYTES).toString('base64url')}`;
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(token, salt, COST);
  const hashed = { salt: salt.toString('base64url'), hash: hash.toString('base64url'), cost: COST };
  return { tokenId, token, hashed };
}

/** @returns once the hash was computed, whether it is that of the token. */
export async function isToken(token: string, { salt, hash, cost }: HashedToken): Promise<boolean> {
  const derived = await derive(token, Buffer.from(salt, 'base64url'), cost);
  return timingSafeEqual(derived, Buffer.from(hash, 'base64url'));
}

const derive = (token: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(token, salt, HASH_BYTES, { ...cost, maxmem: MAX_MEMORY_BYTES }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });

/** A quick hash of a secret that is random enough not to be guessed. */
export const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
