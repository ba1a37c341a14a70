import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '@bowline/runtime/clock';
import { keys } from '../store/keys.ts';
import { parse, put, read, remove, within, type ServerStore } from '../store/server-store.ts';

export interface NewEnrolmentToken {
  /** The id that the device gets; only with one use. Default: one made from its key. */
  deviceId?: string;
  name?: string;
  groups?: string[];
  expiresInMs?: number;
  /** How many devices (keys) it may enrol. */
  maxUses?: number;
}

/** The secret itself is kept nowhere. */
export interface EnrolmentTokenRecord {
  deviceId?: string;
  name?: string;
  groups: string[];
  expiresAt: number;
  maxUses: number;
  /** Thumbprints of the keys that used it, each counted once. */
  usedBy: string[];
}

const DEFAULT_LIFE_MS = 24 * 3600 * 1000;
const SECRET_BYTES = 24;

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

/** Tokens with which devices enrol (protocol, section 7): `SECRET.THUMBPRINT`, the thumbprint being that of our root key. */
export class EnrolmentTokens {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #rootThumbprint: string;

  constructor(store: ServerStore, clock: Clock, rootThumbprint: string) {
    this.#store = store;
    this.#clock = clock;
    this.#rootThumbprint = rootThumbprint;
  }

  async create(wanted: NewEnrolmentToken): Promise<{ token: string; expiresAt: number }> {
    const { deviceId, name, groups = [], expiresInMs = DEFAULT_LIFE_MS, maxUses = 1 } = wanted;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const expiresAt = this.#clock.wallMs() + expiresInMs;
    const record: EnrolmentTokenRecord = {
      ...(deviceId === undefined ? {} : { deviceId }),
      ...(name === undefined ? {} : { name }),
      groups,
      expiresAt,
      maxUses,
      usedBy: [],
    };
    this.#forgetExpired();
    await this.#store.write([put(keys.enrolmentToken(hashOf(secret)), record)]);
    return { token: `${secret}.${this.#rootThumbprint}`, expiresAt };
  }

  /** The token, as long as it lives; undefined if it is unknown, expired or not ours. */
  find(token: string): EnrolmentTokenRecord | undefined {
    const [secret = '', thumbprint] = token.split('.');
    if (thumbprint !== this.#rootThumbprint) return undefined;
    const record = read<EnrolmentTokenRecord>(this.#store, keys.enrolmentToken(hashOf(secret)));
    return record !== undefined && record.expiresAt > this.#clock.wallMs() ? record : undefined;
  }

  /** Counts one use by this key; written together with what the caller writes. */
  use(token: string, record: EnrolmentTokenRecord, thumbprint: string): void {
    const [secret = ''] = token.split('.');
    const used = { ...record, usedBy: [...record.usedBy, thumbprint] };
    void this.#store.write([put(keys.enrolmentToken(hashOf(secret)), used)]);
  }

  #forgetExpired(): void {
    const now = this.#clock.wallMs();
    const expired = this.#store
      .range(within(keys.enrolmentTokens))
      .filter(({ value }) => parse<EnrolmentTokenRecord>(value).expiresAt <= now);
    if (expired.length > 0) void this.#store.write(expired.map(({ key }) => remove(key)));
  }
}
