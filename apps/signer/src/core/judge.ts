import type { SignedClaims, SignedType } from '@bowline/messages';
import type { SignerPolicy } from '../policy-schema.ts';

export type Operator = SignerPolicy['operators'][string];
export type Wanted = { [T in SignedType]: { type: T; claims: SignedClaims<T> } }[SignedType];
/** As much of it as the policy speaks of. */
type Judged =
  | { type: 'command'; claims: Pick<SignedClaims<'command'>, 'aud' | 'exp' | 'name'> }
  | { type: 'softwareUpdate'; claims: Pick<SignedClaims<'softwareUpdate'>, 'aud' | 'exp' | 'channel'> }
  | { type: 'sshAccess'; claims: Pick<SignedClaims<'sshAccess'>, 'aud' | 'exp' | 'user'> };

/**
 * Whether an operator may have this signed.
 *
 * @param nowSeconds wall clock of the signer.
 * @returns the rule that is against it, by its place in the policy; undefined if it may be.
 */
export function judge(operator: Operator, wanted: Judged, nowSeconds: number): string | undefined {
  const { type, claims } = wanted;
  const rule = operator[type];
  if (rule === undefined) return `/${type} is not allowed`;
  if (!permits(rule.audiences, claims.aud)) return `/${type}/audiences does not permit ${claims.aud}`;
  const seconds = claims.exp - nowSeconds;
  if (seconds <= 0) return 'exp is past';
  if (seconds > rule.maxSeconds) return `/${type}/maxSeconds permits ${rule.maxSeconds} s, not ${seconds}`;
  if (wanted.type === 'command' && !permits(operator.command?.names ?? [], wanted.claims.name))
    return `/command/names does not permit ${wanted.claims.name}`;
  if (
    wanted.type === 'softwareUpdate' &&
    !permits(operator.softwareUpdate?.channels ?? [], wanted.claims.channel)
  )
    return `/softwareUpdate/channels does not permit ${wanted.claims.channel}`;
  if (wanted.type === 'sshAccess' && !permits(operator.sshAccess?.users ?? [], wanted.claims.user))
    return `/sshAccess/users does not permit ${wanted.claims.user}`;
  return undefined;
}

const permits = (allowed: readonly string[], name: string): boolean =>
  allowed.includes('*') || allowed.includes(name);
