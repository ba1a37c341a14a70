import type { NewSshSession, SshGrant } from '@bowline/messages';
import { capabilitiesFor, type SshWish } from './ssh-wish.ts';

/** What the operator says of a session. */
export interface GrantOptions {
  user: string;
  /** How long the grant is good, milliseconds. */
  forMs: number;
  idleMs: number;
  reason: string;
  streams: number;
  record: boolean;
}

/** What the operator signs. Of the server's answer it takes no more than it must: a captured server may have written that. */
export function grantFor(
  deviceId: string,
  { sessionId, createdAt, operator }: Pick<NewSshSession, 'sessionId' | 'createdAt' | 'operator'>,
  wish: SshWish,
  { user, forMs, idleMs, streams, reason, record }: GrantOptions,
  key: Pick<SshGrant, 'publicKey' | 'principal'>,
  ids: { orderId: string; jti: string },
): SshGrant {
  // The server's clock, since the device judges by that; a signer puts its own `iat`.
  const nbf = Math.floor(createdAt / 1000);
  return {
    ...ids,
    aud: deviceId,
    iat: nbf,
    nbf,
    exp: nbf + Math.max(1, Math.floor(forMs / 1000)),
    sessionId,
    user,
    ...key,
    capabilities: capabilitiesFor(wish),
    streams,
    idleSeconds: Math.max(1, Math.round(idleMs / 1000)),
    reason,
    by: operator,
    ...(record ? { record } : {}),
  };
}
