import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@bowline/runtime';
import { parse, put, remove, within, type ServerStore } from '@bowline/server-sdk';
import { digestOf } from './access-token.ts';
import { keys } from './keys.ts';

export interface SessionLimits {
  /** A session ends after this long without a call. */
  idleMs: number;
  /** And after this long in any case. */
  maxAgeMs: number;
}

interface SessionRecord {
  /** Hash of the id in the cookie. */
  hash: string;
  csrfHash: string;
  /** The session lives as long as the token that it was made with. */
  tokenId: string;
  startedAt: number;
  lastSeenAt: number;
}

const MAX_SESSIONS = 1000;
/** Of one token, so that nobody crowds out the others. */
const MAX_OF_TOKEN = 20;
const SECRET_BYTES = 32;
/** How exactly it is remembered on disk when a session was last used. */
const SEEN_STEP_MS = 60_000;

/** The console's sessions. What is stored opens none: a cookie's id and the token beside it are kept as hashes. */
export class Sessions {
  readonly limits: SessionLimits;
  readonly #store: ServerStore;
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #sessions: Map<string, SessionRecord>;

  constructor(store: ServerStore, clock: Clock, limits: SessionLimits) {
    this.#store = store;
    this.#clock = clock;
    this.limits = limits;
    const records = store.range(within(keys.sessions)).map(({ value }) => parse<SessionRecord>(value));
    this.#sessions = new Map(
      records.toSorted((a, b) => a.startedAt - b.startedAt).map((record) => [record.hash, record]),
    );
  }

  async begin(tokenId: string): Promise<{ id: string; csrfToken: string; expiresAt: number }> {
    const [id, csrfToken] = [secret(), secret()];
    const now = this.#clock.wallMs();
    const record = {
      hash: hashOf(id),
      csrfHash: hashOf(csrfToken),
      tokenId,
      startedAt: now,
      lastSeenAt: now,
    };
    this.#forget(tokenId);
    this.#sessions.set(record.hash, record);
    await this.#store.write([put(keys.session(record.hash), record)]);
    return { id, csrfToken, expiresAt: now + this.limits.maxAgeMs };
  }

  /** The session of a cookie, unless it has ended. A look that counts as use. */
  find(
    id: string,
  ): { tokenId: string; expiresAt: number; isCsrfToken: (given: string) => boolean } | undefined {
    const record = this.#sessions.get(hashOf(id));
    if (record === undefined || this.#hasEnded(record)) return undefined;
    const now = this.#clock.wallMs();
    if (now - record.lastSeenAt >= Math.min(SEEN_STEP_MS, this.limits.idleMs / 4)) {
      record.lastSeenAt = now;
      void this.#store.write([put(keys.session(record.hash), record)]);
    }
    return {
      tokenId: record.tokenId,
      expiresAt: record.startedAt + this.limits.maxAgeMs,
      isCsrfToken: (given) => timingSafeEqual(Buffer.from(hashOf(given)), Buffer.from(record.csrfHash)),
    };
  }

  async end(id: string): Promise<void> {
    const hash = hashOf(id);
    this.#sessions.delete(hash);
    await this.#store.write([remove(keys.session(hash))]);
  }

  #hasEnded({ startedAt, lastSeenAt }: SessionRecord): boolean {
    const now = this.#clock.wallMs();
    return now >= startedAt + this.limits.maxAgeMs || now >= lastSeenAt + this.limits.idleMs;
  }

  /** Those that have ended, and the oldest if there are too many: room for one more of this token. */
  #forget(tokenId: string): void {
    const all = [...this.#sessions.values()];
    const own = all.filter((record) => record.tokenId === tokenId);
    const gone = new Set([
      ...all.filter((record) => this.#hasEnded(record)),
      ...all.slice(0, Math.max(0, all.length - MAX_SESSIONS + 1)),
      ...own.slice(0, Math.max(0, own.length - MAX_OF_TOKEN + 1)),
    ]);
    for (const { hash } of gone) this.#sessions.delete(hash);
    if (gone.size > 0) void this.#store.write([...gone].map(({ hash }) => remove(keys.session(hash))));
  }
}

const secret = (): string => randomBytes(SECRET_BYTES).toString('base64url');
const hashOf = (text: string): string => digestOf(text).toString('base64url');
