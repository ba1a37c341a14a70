import type { AccessWish, SshGrant } from '@bowline/messages';

/** How far the clock of the server, by which a session's claims are made, may be from the signer's, seconds. */
const CLOCK_LEEWAY_SECONDS = 30;
/** Codes of approvals that were used or are over stay known this long, so that their holder is told why. */
const REMEMBERED_MS = 60 * 60_000;

export interface Approval {
  operator: string;
  wish: AccessWish;
  /** Entry of the audit log that has the approval. */
  seq: number;
  /** On the monotonic clock. */
  endsAtMs: number;
  used: boolean;
}

/**
 * What people have approved and nobody has taken yet, by the hash of its code. Kept in memory alone: a signer that is started
 * anew has none, and they are asked for again.
 */
export class AccessApprovals {
  readonly #validMs: number;
  readonly #most: number;
  readonly #byHash = new Map<string, Approval>();

  constructor({ validMs, most }: { validMs: number; most: number }) {
    this.#validMs = validMs;
    this.#most = most;
  }

  add(codeHash: string, approved: Pick<Approval, 'operator' | 'wish' | 'seq'>, nowMs: number): Approval {
    for (const [hash, { endsAtMs }] of this.#byHash)
      if (nowMs - endsAtMs > REMEMBERED_MS) this.#byHash.delete(hash);
    const [oldest] = this.#byHash.keys();
    if (this.#byHash.size >= this.#most && oldest !== undefined) this.#byHash.delete(oldest);
    const approval = { ...approved, endsAtMs: nowMs + this.#validMs, used: false };
    this.#byHash.set(codeHash, approval);
    return approval;
  }

  /** @returns `open` with the approval, why it is no longer good, or undefined if there is no such code. */
  find(
    codeHash: string,
    nowMs: number,
  ): { state: 'open' | 'used' | 'expired'; approval: Approval } | undefined {
    const approval = this.#byHash.get(codeHash);
    if (approval === undefined) return undefined;
    const state = approval.used ? 'used' : nowMs >= approval.endsAtMs ? 'expired' : 'open';
    return { state, approval };
  }
}

/**
 * Whether a grant is no more than what was approved.
 *
 * @param nowSeconds wall clock of the signer.
 * @returns what of it is not; undefined if all is.
 */
export function beyondApproval(wish: AccessWish, claims: SshGrant, nowSeconds: number): string | undefined {
  const named = { deviceId: claims.aud, user: claims.user, reason: claims.reason };
  for (const [name, value] of Object.entries(named)) {
    const approved = wish[name as keyof typeof named];
    if (value !== approved) return `${name} was approved as “${approved}”, not “${value}”`;
  }
  if (claims.publicKey === undefined || claims.principal !== undefined)
    return 'it was approved for a key of this session, not for a certificate';
  const seconds = Math.max(claims.exp - claims.nbf, claims.exp - nowSeconds - CLOCK_LEEWAY_SECONDS);
  if (seconds > wish.seconds) return `${wish.seconds} s were approved, not ${seconds} s`;
  const more = claims.capabilities.filter((name) => !(wish.capabilities as string[]).includes(name));
  if (more.length > 0) return `${more.join(', ')} was not approved`;
  if (claims.streams > wish.streams) return `${wish.streams} connections were approved`;
  if (claims.idleSeconds > wish.idleSeconds) return `it was approved to end after ${wish.idleSeconds} s idle`;
  if (wish.record && claims.record !== true) return 'it was approved with a recording';
  return undefined;
}
