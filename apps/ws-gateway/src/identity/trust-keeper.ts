import { join } from 'node:path';
import { extendChain, readChain, type ChainedBundle } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import { ConfigError, RejectedError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';

interface Stored {
  /** Payload of the bundle that came with the enrolment: the chain belongs to it. */
  enrolledWith: string;
  chain: TrustBundleJws[];
}

/** As many go into one answer over the hub. */
const AT_ONCE = 8;

/**
 * The gateway's copy of the trust bundles, for the apps that check signatures: each of them verifies what it takes from here
 * by itself (docs/adr/0009), so this one is only the carrier's, and an early answer to the server.
 */
export class TrustKeeper {
  readonly #file: string;
  #enrolledWith: string | undefined;
  #chain: readonly ChainedBundle[] = [];

  /** @throws ConfigError `bad-enrolment`: the file does not read. */
  constructor(stateDir: string) {
    this.#file = join(stateDir, 'trust-chain.json');
    const text = readFileIfPresent(this.#file);
    if (text === undefined) return;
    try {
      const { enrolledWith, chain } = JSON.parse(text) as Stored;
      this.#chain = readChain(chain);
      this.#enrolledWith = enrolledWith;
    } catch (error) {
      throw new ConfigError(
        'bad-enrolment',
        `${this.#file} is damaged: remove it, and the server's bundles are taken anew from the one of the enrolment`,
        { cause: error },
      );
    }
  }

  /** Version of the newest bundle; 0 without one. */
  get version(): number {
    return this.#chain.at(-1)?.bundle.version ?? 0;
  }

  /** The bundle of the enrolment, verified when it was taken. After a new enrolment it goes on from that one. */
  async enrolled(trust: TrustBundleJws): Promise<void> {
    if (this.#enrolledWith === trust.payload) return;
    let chain: readonly ChainedBundle[];
    try {
      chain = await extendChain(this.#chain, trust);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      chain = readChain([trust]); // the first one, or another server
    }
    this.#enrolledWith = trust.payload;
    this.#write(chain);
  }

  /**
   * Judges the bundle of an order `trust`.
   *
   * @returns makes it the newest, durably; doing so twice changes nothing.
   * @throws RejectedError `untrusted-bundle`, `bundle-rollback`.
   */
  async judge(jws: TrustBundleJws): Promise<() => void> {
    const chain = await extendChain(this.#chain, jws);
    return () => this.#write(chain);
  }

  /** The next ones above a version, oldest first. */
  above(version: number): TrustBundleJws[] {
    return this.#chain
      .filter(({ bundle }) => bundle.version > version)
      .slice(0, AT_ONCE)
      .map(({ jws }) => jws);
  }

  #write(chain: readonly ChainedBundle[]): void {
    const stored: Stored = { enrolledWith: this.#enrolledWith ?? '', chain: chain.map(({ jws }) => jws) };
    writeFileDurably(this.#file, JSON.stringify(stored));
    this.#chain = chain;
  }
}
