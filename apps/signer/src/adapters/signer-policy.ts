import { createHash, timingSafeEqual } from 'node:crypto';
import { readOwnedFile } from '@bowline/identity';
import { check } from '@bowline/messages';
import { TransientError } from '@bowline/runtime';
import type { Operator } from '../core/judge.ts';
import { policy as isPolicy } from '../generated/bodies.js';
import type { SignerPolicy } from '../policy-schema.ts';

const MAX_BYTES = 1024 * 1024;

export interface Caller {
  name: string;
  operator: Operator;
}

/**
 * Whose token it is, by the policy as it stands now.
 *
 * @throws TransientError `signer-policy-broken`: nothing is signed until the file is mended.
 */
export function operatorOf(file: string, token: string): Caller | undefined {
  const hash = createHash('sha256').update(token).digest();
  for (const [name, operator] of Object.entries(policyIn(file).operators))
    if (timingSafeEqual(hash, Buffer.from(operator.tokenSha256, 'hex'))) return { name, operator };
  return undefined;
}

/** What an operator may by the policy as it stands now. @throws TransientError `signer-policy-broken` */
export function operatorNamed(file: string, name: string): Operator | undefined {
  return Object.entries(policyIn(file).operators).find(([each]) => each === name)?.[1];
}

function policyIn(file: string): SignerPolicy {
  try {
    return check<SignerPolicy>(isPolicy, JSON.parse(readOwnedFile(file, MAX_BYTES)), 'policy');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TransientError('signer-policy-broken', `the policy of the signer cannot be used: ${why}`, {
      cause: error,
    });
  }
}
