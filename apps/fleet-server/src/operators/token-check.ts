import { timingSafeEqual } from 'node:crypto';
import { TransientError } from '@bowline/runtime';
import { digestOf, isToken, tokenIdOf } from './access-token.ts';
import type { Holder, OperatorDirectory } from './operator-directory.ts';

/** Tokens that were found good are known again without the slow hash; the longest unused is forgotten. */
const KNOWN = 1000;
/** Each hash takes 32 MiB while it is computed. */
const HASHES_AT_ONCE = 4;
const BUSY_RETRY_MS = 1000;

/** Whose a token is: one slow hash at most, and none for a token that was good a moment ago. */
export class TokenCheck {
  readonly #directory: OperatorDirectory;
  readonly #fileDigest: Buffer | undefined;
  /** Digest of a good token → its id, in order of last use. */
  readonly #known = new Map<string, string>();
  readonly #hashing = new Map<string, Promise<boolean>>();

  constructor(directory: OperatorDirectory, fileToken: string | undefined) {
    this.#directory = directory;
    this.#fileDigest = fileToken === undefined ? undefined : digestOf(fileToken);
  }

  /** The holder, where that is known without a slow hash. */
  knownHolder(token: string): Holder | undefined {
    const digest = digestOf(token);
    if (this.#fileDigest !== undefined && timingSafeEqual(digest, this.#fileDigest))
      return this.#directory.fileHolder;
    const key = digest.toString('base64url');
    const tokenId = this.#known.get(key);
    if (tokenId === undefined) return undefined;
    this.#remember(key, tokenId);
    return this.#directory.holder(tokenId);
  }

  /** @throws TransientError `overloaded` when too many tokens are looked at already. */
  async holder(token: string): Promise<Holder | undefined> {
    const known = this.knownHolder(token);
    const tokenId = tokenIdOf(token);
    if (known !== undefined || tokenId === undefined) return known;
    const record = this.#directory.token(tokenId);
    if (record === undefined || this.#directory.holder(tokenId) === undefined) return undefined;
    const key = digestOf(token).toString('base64url');
    if (!(await this.#hashOnce(key, () => isToken(token, record.hashed)))) return undefined;
    this.#remember(key, tokenId);
    return this.#directory.holder(tokenId);
  }

  #hashOnce(key: string, hash: () => Promise<boolean>): Promise<boolean> {
    const under = this.#hashing.get(key);
    if (under !== undefined) return under;
    if (this.#hashing.size >= HASHES_AT_ONCE) {
      const retry = { retryAfterMs: BUSY_RETRY_MS };
      throw new TransientError('overloaded', 'too many tokens are being checked', retry);
    }
    const made = hash().finally(() => this.#hashing.delete(key));
    this.#hashing.set(key, made);
    return made;
  }

  #remember(key: string, tokenId: string): void {
    this.#known.delete(key);
    this.#known.set(key, tokenId);
    if (this.#known.size <= KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
