import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { extendChain, readChain, type ChainedBundle } from '@bowline/identity';
import { check, type TrustBundleJws } from '@bowline/messages';
import { trustBundleJws } from '@bowline/messages/trust';
import { RejectedError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';

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
  /** There was a file and it does not read: it was set aside, and the chain begins at the bundle of the enrolment again. */
  readonly damaged: boolean;
  readonly #file: string;
  #enrolledWith: string | undefined;
  #chain: readonly ChainedBundle[] = [];

  constructor(stateDir: string) {
    this.#file = join(stateDir, 'trust-chain.json');
    const stored = readStored(this.#file);
    this.damaged = stored === 'damaged';
    if (stored === 'damaged' || stored === undefined) return;
    this.#chain = readChain(stored.chain);
    this.#enrolledWith = stored.enrolledWith;
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

/** What does not read is set aside: the enrolment has the first bundle, and the server sends those that are missing. */
function readStored(file: string): Stored | 'damaged' | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    const { enrolledWith, chain } = JSON.parse(text) as Stored;
    if (typeof enrolledWith !== 'string' || chain.length === 0) throw new Error('it holds no chain');
    readChain(chain.map((jws) => check<TrustBundleJws>(trustBundleJws, jws)));
    return { enrolledWith, chain };
  } catch {
    renameSync(file, `${file}.damaged`);
    return 'damaged';
  }
}
