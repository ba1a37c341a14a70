import { createHash } from 'node:crypto';
import { canonicalize } from '@tufjs/canonical-json';
import {
  Signature,
  type Metadata,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models';
import { tufKey, type ReleaseSigner } from './release-signer.ts';

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type Role = (typeof ROLES)[number];
type Any = Metadata<Root | Targets | Snapshot | Timestamp>;

const SPECIFICATION = '1.0.34';

/** What every kind of metadata begins with. TUF's times have no fractions of a second. */
export const header = (version: number, expiresMs: number) => ({
  version,
  specVersion: SPECIFICATION,
  expires: `${new Date(expiresMs).toISOString().slice(0, 19)}Z`,
});

export const textOf = (metadata: Any): string => `${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`;

/** What metadata says of the file of other metadata, or targets metadata of a target. */
export const fingerprint = (text: string) => ({
  length: Buffer.byteLength(text),
  hashes: { sha256: createHash('sha256').update(text).digest('hex') },
});

/** Adds the signatures of those signers whose keys count for the role, by any of the roots. */
export async function addSignatures(
  metadata: Any,
  role: Role,
  roots: readonly Metadata<Root>[],
  signers: readonly ReleaseSigner[],
): Promise<void> {
  const bytes = Buffer.from(canonicalize(metadata.signed.toJSON()));
  for (const signer of signers) {
    const { id } = tufKey(signer.jwk);
    if (!roots.some(({ signed }) => signed.roles[role]?.keyIDs.includes(id))) continue;
    const sig = Buffer.from(await signer.sign(bytes)).toString('hex');
    metadata.signatures[id] = new Signature({ keyID: id, sig });
  }
}

export interface Threshold {
  role: Role;
  version: number;
  signed: number;
  needed: number;
}

/** How many good signatures metadata has, and needs, by one root. */
export function threshold(metadata: Any, role: Role, root: Metadata<Root>): Threshold {
  const { keyIDs = [], threshold: needed = 1 } = root.signed.roles[role] ?? {};
  const signed = keyIDs.filter((id) => {
    try {
      if (metadata.signatures[id] === undefined) return false;
      root.signed.keys[id]?.verifySignature(metadata);
      return root.signed.keys[id] !== undefined;
    } catch {
      return false;
    }
  });
  return { role, version: metadata.signed.version, signed: signed.length, needed };
}
