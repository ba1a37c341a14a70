import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * What is kept of a session of `sshAccess` (protocol, section 8). Tokens are kept as hashes: what is stored opens nothing.
 */
export interface TunnelRecord {
  sessionId: string;
  deviceId: string;
  /** Who asked for it. */
  operator: string;
  createdAt: number;
  expiresAt: number;
  /** Pairs open at a time, at most. */
  streams: number;
  /** Told by whoever asked for it, for the other operators; the grant alone says what is allowed. */
  user?: string;
  reason?: string;
  /** The device's token that is not spent yet: its socket may be lost, and it may come again with it. */
  deviceToken?: string;
  /** What the device was told as `nextToken`. Using it spends the other. */
  nextToken?: string;
  operatorToken: string;
  /** Pairs so far; the next stream's number is one more. */
  opened: number;
  /** From the device, and to it. */
  bytesUp: number;
  bytesDown: number;
  ended?: { at: number; by: string };
}

const SECRET_BYTES = 32;

export const newTunnelToken = (): string => `btn_${randomBytes(SECRET_BYTES).toString('base64url')}`;
export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

export const isTunnelToken = (hash: string, known: string | undefined): boolean =>
  known !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(known));

/**
 * The record after the device has presented a token and was told the next one.
 *
 * @param hash of the token presented.
 * @param next hash of the token that it will be told.
 * @returns undefined if the token is not good: unknown, or spent.
 */
export function afterAttach(record: TunnelRecord, hash: string, next: string): TunnelRecord | undefined {
  const { deviceToken, nextToken } = record;
  if (!isTunnelToken(hash, deviceToken) && !isTunnelToken(hash, nextToken)) return undefined;
  return { ...record, deviceToken: hash, nextToken: next };
}

/** The record after the socket that stood by was paired: its token is spent. */
export function afterPairing(record: TunnelRecord): TunnelRecord {
  const { deviceToken: _spent, ...rest } = record;
  return { ...rest, opened: record.opened + 1 };
}
