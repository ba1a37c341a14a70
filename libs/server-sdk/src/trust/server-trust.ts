import { extendChain, readChain, trustSigners, type ChainedBundle } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import { InternalError } from '@bowline/runtime/errors';

/**
 * The trust bundles of a fleet, as its server hands them on. Nothing here can sign one: they come signed by root keys that are
 * kept elsewhere, and every device verifies them anew (protocol, sections 5 and 7).
 */
export class ServerTrust {
  readonly #write: (chain: readonly TrustBundleJws[]) => void;
  #chain: readonly ChainedBundle[];
  #rootThumbprint: string;
  #tail: Promise<unknown> = Promise.resolve();

  /**
   * @param stored oldest first, at least one.
   * @param write durably, before it returns.
   * @throws RejectedError `untrusted-bundle`: the last one does not read, or lacks the signatures of its own root keys.
   */
  static async load(
    stored: readonly TrustBundleJws[],
    write: (chain: readonly TrustBundleJws[]) => void,
  ): Promise<ServerTrust> {
    const chain = readChain(stored);
    return new ServerTrust(chain, await rootOf(chain), write);
  }

  private constructor(
    chain: readonly ChainedBundle[],
    rootThumbprint: string,
    write: (chain: readonly TrustBundleJws[]) => void,
  ) {
    this.#chain = chain;
    this.#rootThumbprint = rootThumbprint;
    this.#write = write;
  }

  get current(): ChainedBundle {
    return lastOf(this.#chain);
  }

  /** Of a root key of the current bundle that signed it: what enrolment tokens carry. */
  get rootThumbprint(): string {
    return this.#rootThumbprint;
  }

  /** What a device that holds `version` needs, oldest first. */
  above(version: number): ChainedBundle[] {
    return this.#chain.filter(({ bundle }) => bundle.version > version);
  }

  /**
   * One after the other: each is judged against the end of the chain, and may not be overtaken meanwhile.
   *
   * @throws RejectedError `untrusted-bundle`, `bundle-rollback`: no device would take it.
   */
  publish(jws: TrustBundleJws): Promise<ChainedBundle> {
    const published = this.#tail.then(() => this.#extend(jws));
    this.#tail = published.catch(() => undefined);
    return published;
  }

  async #extend(jws: TrustBundleJws): Promise<ChainedBundle> {
    const chain = await extendChain(this.#chain, jws);
    const rootThumbprint = await rootOf(chain);
    this.#write(chain.map((each) => each.jws));
    this.#chain = chain;
    this.#rootThumbprint = rootThumbprint;
    return lastOf(chain);
  }
}

function lastOf(chain: readonly ChainedBundle[]): ChainedBundle {
  const last = chain.at(-1);
  if (last === undefined) throw new InternalError('internal', 'a server without a trust bundle');
  return last;
}

async function rootOf(chain: readonly ChainedBundle[]): Promise<string> {
  const { jws, bundle } = lastOf(chain);
  const [first] = await trustSigners(jws, bundle);
  return first;
}
