import { renameSync } from 'node:fs';
import { check, type TrustBundle, type TrustBundleJws } from '@bowline/messages';
import { trustBundleJws } from '@bowline/messages/trust';
import { BowlineError, readFileIfPresent, RejectedError, writeFileDurably } from '@bowline/runtime';
import { readTrustBundle, verifyTrustBundle } from './trust-bundle.ts';
import { readTrustAnchor } from './trust-anchor.ts';

/** Which device this is, as far as an app believes it. */
export interface DeviceIdentity {
  deviceId: string;
  groups: readonly string[];
}

interface Stored {
  /** The anchor that everything here began with. */
  rootThumbprint: string;
  bundle?: TrustBundleJws;
  /** As the gateway told it, under the anchor's `since` of that time. */
  identity?: DeviceIdentity & { since?: number | undefined };
}

/** The highest version seen, by the root that the anchor names, in another file than the bundle: to notice when that is lost. */
export interface SeenVersions {
  seen(rootThumbprint: string): number;
  saw(rootThumbprint: string, version: number): void;
}

export interface HeldTrustOptions {
  versions: SeenVersions;
  /** Of this app alone: the bundle that it has verified. */
  file: string;
  /** Of whoever set up the device ({@link readTrustAnchor}). */
  anchorFile: string;
}

/**
 * An app's own copy of the trust bundle. It comes through the gateway, which may be captured: so the first one must be
 * signed by the root key that the anchor names, each later one by those that this app holds, and a version never falls.
 * Who this device is stands in the anchor, or is taken once from the gateway and then kept (docs/adr/0009).
 */
export class HeldTrust {
  readonly #options: HeldTrustOptions;
  /** There was a file and it does not read: it was set aside, and this app begins at the anchor again. */
  readonly damaged: boolean;
  #stored: Stored | undefined;
  #bundle: TrustBundle | undefined;

  constructor(options: HeldTrustOptions) {
    this.#options = options;
    const stored = readStored(options.file);
    this.damaged = stored === 'damaged';
    this.#stored = stored === 'damaged' ? undefined : stored;
    this.#bundle = this.#stored?.bundle && readTrustBundle(this.#stored.bundle);
  }

  /** Version of the bundle held; 0 without one. */
  get version(): number {
    return this.#bundle?.version ?? 0;
  }

  /**
   * @throws RejectedError `no-trust-anchor`, `trust-anchor-broken`, `no-trust-bundle`, `bundle-rollback` (after the loss of
   *   its file it has been offered older ones only): nothing signed can be believed.
   */
  bundle(): TrustBundle {
    const { anchor } = this.#anchored();
    if (this.#bundle === undefined)
      throw new RejectedError(
        'no-trust-bundle',
        'this app holds no trust bundle yet: the gateway has none, or none that the trust anchor allows',
      );
    const seen = this.#options.versions.seen(anchor.rootThumbprint);
    if (this.#bundle.version < seen)
      throw new RejectedError(
        'bundle-rollback',
        `this app had trust bundle ${seen} and lost it; version ${this.#bundle.version}, which it was offered since, is older`,
      );
    return this.#bundle;
  }

  /** Whether this app knows of a bundle that it does not have: its file is gone, or an older one is in its place. */
  get lost(): boolean {
    try {
      return this.version < this.#options.versions.seen(this.#anchored().anchor.rootThumbprint);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      return false;
    }
  }

  /** @throws RejectedError as {@link bundle}, and `unknown-device-id` before the gateway has said who we are. */
  identity(): DeviceIdentity {
    const { anchor, stored } = this.#anchored();
    const deviceId = anchor.deviceId ?? stored.identity?.deviceId;
    if (deviceId === undefined)
      throw new RejectedError('unknown-device-id', 'this device is not enrolled, as far as this app knows');
    return { deviceId, groups: anchor.groups ?? stored.identity?.groups ?? [] };
  }

  /**
   * Takes the next bundle that the gateway offers; durable when it resolves.
   *
   * @throws RejectedError `no-trust-anchor`, `trust-anchor-broken`, `untrusted-bundle`, `bundle-rollback`.
   */
  async take(jws: TrustBundleJws): Promise<void> {
    const { anchor, stored } = this.#anchored();
    const bundle = await verifyTrustBundle(
      jws,
      this.#bundle === undefined ? { rootThumbprint: anchor.rootThumbprint } : { held: this.#bundle },
    );
    this.#write({ ...stored, bundle: jws });
    this.#bundle = bundle;
    const { versions } = this.#options;
    if (bundle.version > versions.seen(anchor.rootThumbprint))
      versions.saw(anchor.rootThumbprint, bundle.version);
  }

  /**
   * The gateway says which device this is. The first word counts where the anchor says nothing, so that a gateway that is
   * captured later cannot make this device take what was signed for another.
   *
   * @returns false if it says another than before.
   */
  told(identity: DeviceIdentity): boolean {
    const { anchor, stored } = this.#anchored();
    if (stored.identity === undefined) {
      const { since } = anchor;
      const told = { deviceId: identity.deviceId, groups: identity.groups.toSorted() };
      this.#write({ ...stored, identity: { ...told, ...(since === undefined ? {} : { since }) } });
    }
    const held = this.identity();
    return (
      held.deviceId === identity.deviceId &&
      held.groups.toSorted().join(' ') === identity.groups.toSorted().join(' ')
    );
  }

  /** The anchor as it stands now. With another root in it everything begins anew: its owner is who decides. */
  #anchored() {
    let anchor;
    try {
      anchor = readTrustAnchor(this.#options.anchorFile);
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      throw new RejectedError(error.code, error.message, { cause: error });
    }
    if (anchor === undefined) {
      throw new RejectedError(
        'no-trust-anchor',
        `nothing signed is believed: this device was not told whom to trust (${this.#options.anchorFile} is absent)`,
      );
    }
    if (this.#stored?.rootThumbprint !== anchor.rootThumbprint) {
      this.#stored = { rootThumbprint: anchor.rootThumbprint };
      this.#bundle = undefined;
    }
    const { identity } = this.#stored;
    if (identity !== undefined && identity.since !== anchor.since) {
      const { identity: _, ...others } = this.#stored;
      this.#stored = others;
    }
    return { anchor, stored: this.#stored };
  }

  #write(stored: Stored): void {
    writeFileDurably(this.#options.file, JSON.stringify(stored));
    this.#stored = stored;
  }
}

/** What does not read is set aside: the gateway offers the bundles again, and the anchor judges them. */
function readStored(file: string): Stored | 'damaged' | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    const { rootThumbprint, bundle, identity } = JSON.parse(text) as Stored;
    if (typeof rootThumbprint !== 'string') throw new Error('rootThumbprint is missing');
    if (bundle !== undefined) readTrustBundle(check<TrustBundleJws>(trustBundleJws, bundle));
    return { rootThumbprint, ...(bundle && { bundle }), ...(identity && { identity }) };
  } catch {
    renameSync(file, `${file}.damaged`);
    return 'damaged';
  }
}
