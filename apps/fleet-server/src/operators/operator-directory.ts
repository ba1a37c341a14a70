import type { NewOperatorToken, Operator, OperatorToken, Role } from '@bowline/messages';
import { RejectedError, type Clock } from '@bowline/runtime';
import { parse, put, remove, within, type ServerStore } from '@bowline/server-sdk';
import { digestOf, newToken, type HashedToken } from './access-token.ts';
import { keys } from './keys.ts';

/** Whose the token in the server's own file is. */
export const FILE_OPERATOR = 'admin';

const MAX_OPERATORS = 1000;
const MAX_TOKENS = 20;
const HOUR_MS = 3600 * 1000;

type OperatorRecord = Omit<Operator, 'tokens'>;

export interface TokenRecord extends OperatorToken {
  operator: string;
  hashed: HashedToken;
}

/** Who holds a token, as of now. */
export interface Holder {
  operator: string;
  role: Role;
  tokenId: string;
}

export interface NewToken {
  label?: string;
  expiresInMs?: number;
}

/**
 * The operators and their tokens. All of it is held in memory too, so that every call can be checked anew: whoever was revoked
 * is out at once. The token in the server's file belongs to {@link FILE_OPERATOR}, who is no record here.
 */
export class OperatorDirectory {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #operators: Map<string, OperatorRecord>;
  readonly #tokens: Map<string, TokenRecord>;
  readonly #fileHolder: Holder | undefined;

  /** @param fileToken the token in the server's own file, if that counts. */
  constructor(store: ServerStore, clock: Clock, fileToken: string | undefined) {
    this.#store = store;
    this.#clock = clock;
    const all = <T>(prefix: string) => store.range(within(prefix)).map(({ value }) => parse<T>(value));
    this.#operators = new Map(all<OperatorRecord>(keys.operators).map((record) => [record.name, record]));
    this.#tokens = new Map(all<TokenRecord>(keys.tokens).map((record) => [record.tokenId, record]));
    // The id changes with the token, so that sessions end when another is put into the file.
    this.#fileHolder =
      fileToken === undefined
        ? undefined
        : {
            operator: FILE_OPERATOR,
            role: 'admin',
            tokenId: `file-${digestOf(fileToken).toString('hex').slice(0, 8)}`,
          };
  }

  get fileHolder(): Holder | undefined {
    return this.#fileHolder;
  }

  get hasAdmin(): boolean {
    return this.#fileHolder !== undefined || this.#admins().length > 0;
  }

  list(): Operator[] {
    return [...this.#operators.values()].map((record) => this.#view(record));
  }

  get(name: string): Operator {
    return this.#view(this.#known(name));
  }

  token(tokenId: string): TokenRecord | undefined {
    return this.#tokens.get(tokenId);
  }

  /** Who holds the token, unless it was revoked or has expired. */
  holder(tokenId: string): Holder | undefined {
    if (tokenId === this.#fileHolder?.tokenId) return this.#fileHolder;
    const token = this.#tokens.get(tokenId);
    if (token === undefined || (token.expiresAt ?? Infinity) <= this.#clock.wallMs()) return undefined;
    const operator = this.#operators.get(token.operator);
    return operator && { operator: operator.name, role: operator.role, tokenId };
  }

  /** @throws RejectedError `operator-exists`, `too-many-operators` */
  async create(
    { name, role, ...token }: { name: string; role: Role } & NewToken,
    createdBy: string,
  ): Promise<NewOperatorToken> {
    if (name === FILE_OPERATOR || this.#operators.has(name))
      throw new RejectedError('operator-exists', 'there is an operator of this name');
    if (this.#operators.size >= MAX_OPERATORS)
      throw new RejectedError('too-many-operators', `there are ${MAX_OPERATORS} operators`);
    const record = { name, role, createdAt: this.#clock.wallMs(), createdBy };
    this.#operators.set(name, record);
    void this.#store.write([put(keys.operator(name), record)]);
    return this.addToken(name, token);
  }

  /** @throws RejectedError `unknown-operator`, `too-many-tokens` */
  async addToken(name: string, { label, expiresInMs }: NewToken): Promise<NewOperatorToken> {
    this.#known(name);
    const { tokenId, token, hashed } = await newToken();
    // Looked at again: while the hash was computed the operator may have gone.
    const { role } = this.#known(name);
    if (this.#tokensOf(name).length >= MAX_TOKENS)
      throw new RejectedError('too-many-tokens', `an operator has ${MAX_TOKENS} tokens at most`);
    const now = this.#clock.wallMs();
    const expiresAt = expiresInMs === undefined ? {} : { expiresAt: now + expiresInMs };
    const record: TokenRecord = {
      tokenId,
      operator: name,
      ...(label === undefined ? {} : { label }),
      createdAt: now,
      ...expiresAt,
      hashed,
    };
    this.#tokens.set(tokenId, record);
    await this.#store.write([put(keys.token(tokenId), record)]);
    return { operator: name, role, tokenId, token, ...expiresAt };
  }

  /** With all tokens. @throws RejectedError `unknown-operator`, `last-admin` */
  async remove(name: string): Promise<void> {
    this.#known(name);
    const tokenIds = this.#tokensOf(name).map(({ tokenId }) => tokenId);
    this.#keepAnAdminWithout(tokenIds);
    this.#operators.delete(name);
    for (const tokenId of tokenIds) this.#tokens.delete(tokenId);
    await this.#store.write([remove(keys.operator(name)), ...tokenIds.map((id) => remove(keys.token(id)))]);
  }

  /** @throws RejectedError `unknown-operator`, `unknown-token`, `last-admin` */
  async removeToken(name: string, tokenId: string): Promise<void> {
    this.#known(name);
    if (this.#tokens.get(tokenId)?.operator !== name)
      throw new RejectedError('unknown-token', 'the operator has no such token');
    this.#keepAnAdminWithout([tokenId]);
    this.#tokens.delete(tokenId);
    await this.#store.write([remove(keys.token(tokenId))]);
  }

  /** Remembers, to the hour, that a token was used. */
  used(tokenId: string): void {
    const token = this.#tokens.get(tokenId);
    const now = this.#clock.wallMs();
    if (token === undefined || now - (token.lastUsedAt ?? 0) < HOUR_MS) return;
    token.lastUsedAt = now;
    void this.#store.write([put(keys.token(tokenId), token)]);
  }

  #known(name: string): OperatorRecord {
    const record = this.#operators.get(name);
    if (record === undefined) throw new RejectedError('unknown-operator', 'there is no such operator');
    return record;
  }

  #admins(): OperatorRecord[] {
    return [...this.#operators.values()].filter(({ role }) => role === 'admin');
  }

  /** What counts is a token that is good now: an admin without one can make nobody. */
  #keepAnAdminWithout(tokenIds: readonly string[]): void {
    if (this.#fileHolder !== undefined) return;
    for (const tokenId of this.#tokens.keys())
      if (!tokenIds.includes(tokenId) && this.holder(tokenId)?.role === 'admin') return;
    throw new RejectedError(
      'last-admin',
      'nobody could make operators any more: make another admin, or another token of an admin, first',
    );
  }

  #tokensOf(name: string): TokenRecord[] {
    return [...this.#tokens.values()].filter(({ operator }) => operator === name);
  }

  #view(record: OperatorRecord): Operator {
    const tokens = this.#tokensOf(record.name).map(
      ({ operator: _operator, hashed: _hashed, ...token }) => token,
    );
    return { ...record, tokens };
  }
}
