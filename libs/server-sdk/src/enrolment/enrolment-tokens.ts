import { createHash, randomBytes } from 'node:crypto';
import type { EnrolmentToken, EnrolmentTokenState } from '@bowline/messages';
import type { Clock } from '@bowline/runtime/clock';
import { keys } from '../store/keys.ts';
import { parse, put, read, remove, within, type ServerStore, type Write } from '../store/server-store.ts';

export interface NewEnrolmentToken {
  /** The id that the device gets; only with one use. Default: one made from its key. */
  deviceId?: string;
  name?: string;
  groups?: string[];
  expiresInMs?: number;
  /** How many devices (keys) it may enrol. */
  maxUses?: number;
}

type TokenRecord = Omit<EnrolmentTokenState, 'tokenId'>;

/** A token that lives. The secret itself is kept nowhere. */
export interface LiveToken {
  /** Of the secret: where the record is kept. */
  hash: string;
  record: TokenRecord;
}

const DEFAULT_LIFE_MS = 24 * 3600 * 1000;
const SECRET_BYTES = 24;
/** Enough to tell tokens apart, short enough to be typed. */
const ID_BYTES = 6;

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
/** Hexadecimal, so that no command line takes it for an option. */
const idOf = (hash: string): string => Buffer.from(hash, 'base64url').toString('hex', 0, ID_BYTES);
const stateOf = ({ hash, record }: LiveToken): EnrolmentTokenState => ({ tokenId: idOf(hash), ...record });

/** Tokens with which devices enrol (protocol, section 7): `SECRET.THUMBPRINT`, the thumbprint being that of our root key. */
export class EnrolmentTokens {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #rootThumbprint: () => string;

  constructor(store: ServerStore, clock: Clock, rootThumbprint: () => string) {
    this.#store = store;
    this.#clock = clock;
    this.#rootThumbprint = rootThumbprint;
  }

  async create(wanted: NewEnrolmentToken): Promise<EnrolmentToken> {
    const { deviceId, name, groups = [], expiresInMs = DEFAULT_LIFE_MS, maxUses = 1 } = wanted;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const hash = hashOf(secret);
    const createdAt = this.#clock.wallMs();
    const record: TokenRecord = {
      ...(deviceId === undefined ? {} : { deviceId }),
      ...(name === undefined ? {} : { name }),
      groups,
      createdAt,
      expiresAt: createdAt + expiresInMs,
      maxUses,
      uses: 0,
    };
    const expired = this.#all().filter(({ record: { expiresAt } }) => expiresAt <= createdAt);
    await this.#store.write([
      ...expired.flatMap((token) => this.#removal(token)),
      put(keys.enrolmentToken(hash), record),
    ]);
    return { tokenId: idOf(hash), ...record, token: `${secret}.${this.#rootThumbprint()}` };
  }

  /** Those that have not expired, oldest first. */
  list(): EnrolmentTokenState[] {
    const now = this.#clock.wallMs();
    return this.#all()
      .map(stateOf)
      .filter(({ expiresAt }) => expiresAt > now)
      .toSorted((a, b) => a.createdAt - b.createdAt);
  }

  /** Ends a token before its time: from now on it is unknown to everyone. @returns it, or undefined if there is none. */
  async revoke(tokenId: string): Promise<EnrolmentTokenState | undefined> {
    const token = this.#all().find(({ hash }) => idOf(hash) === tokenId);
    if (token === undefined) return undefined;
    await this.#store.write(this.#removal(token));
    return stateOf(token);
  }

  /** Ends the tokens that were made for one device. */
  revokeOf(deviceId: string): Promise<void> {
    const tokens = this.#all().filter(({ record }) => record.deviceId === deviceId);
    return this.#store.write(tokens.flatMap((token) => this.#removal(token)));
  }

  /** The token, as long as it lives; undefined if it is unknown, expired or not ours. */
  find(token: string): LiveToken | undefined {
    const [secret = '', thumbprint] = token.split('.');
    if (thumbprint !== this.#rootThumbprint()) return undefined;
    const hash = hashOf(secret);
    const record = read<TokenRecord>(this.#store, keys.enrolmentToken(hash));
    if (record === undefined || record.expiresAt <= this.#clock.wallMs()) return undefined;
    return { hash, record };
  }

  wasUsedBy({ hash }: LiveToken, thumbprint: string): boolean {
    return this.#store.get(keys.enrolmentUse(hash, thumbprint)) !== undefined;
  }

  /** Counts one use by this key; written together with what the caller writes. */
  use({ hash, record }: LiveToken, thumbprint: string): void {
    void this.#store.write([
      put(keys.enrolmentToken(hash), { ...record, uses: record.uses + 1 }),
      put(keys.enrolmentUse(hash, thumbprint), {}),
    ]);
  }

  #all(): LiveToken[] {
    return this.#store.range(within(keys.enrolmentTokens)).map(({ key, value }) => ({
      hash: key.slice(keys.enrolmentTokens.length),
      record: parse<TokenRecord>(value),
    }));
  }

  #removal({ hash }: LiveToken): Write[] {
    const uses = this.#store.range(within(keys.enrolmentUsesOf(hash)));
    return [remove(keys.enrolmentToken(hash)), ...uses.map(({ key }) => remove(key))];
  }
}
