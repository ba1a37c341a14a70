import { createHash } from 'node:crypto';
import { canonicalize } from '@tufjs/canonical-json';
import type { Ed25519Jwk } from '@bowline/messages';

/** Whoever holds a key: a file, or a program that guards one. */
export interface ReleaseSigner {
  jwk: Ed25519Jwk;
  /** Ed25519 over exactly these bytes, 64 bytes. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** A public key as TUF has it (specification 1.0.34, section 4.2). */
export interface TufKey {
  id: string;
  json: { keytype: 'ed25519'; scheme: 'ed25519'; keyval: { public: string } };
}

export function tufKey({ x }: Ed25519Jwk): TufKey {
  const json = {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: Buffer.from(x, 'base64url').toString('hex') },
  } as const;
  return { id: createHash('sha256').update(canonicalize(json)).digest('hex'), json };
}
