import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SignedClaims, SignedType, TrustBundleJws } from '@bowline/messages';
import { BowlineError, RejectedError, TransientError, type ServerClock } from '@bowline/runtime';
import { reportEvent, type EventPorts } from '../report-event.ts';
import { HeldTrust, type DeviceIdentity } from '../trust/held-trust.ts';
import { checkTime, verifyClaims } from './signed-claims.ts';
import { SignedTime } from './signed-time.ts';
import { SpentOrders, type SpentOrder } from './spent-orders.ts';

export interface OrderGateOptions extends EventPorts {
  /** The app's own folder: its copy of the trust bundle and its record of used signatures. */
  stateDir: string;
  /** {@link readTrustAnchor} */
  trustAnchorFile: string;
  serverClock: Pick<ServerClock, 'nowMs'>;
  hub: GateHub;
}

/** What the gate needs of the app's connection to the gateway (libs/ipc). */
export type GateHub = EventPorts['hub'] & {
  request(
    name: 'trustBundles',
    body: { above: number },
  ): Promise<{ bundles: TrustBundleJws[]; device?: { deviceId: string; groups: string[] } }>;
  onRegistered(callback: () => void): void;
  onNotification(name: 'trust', handler: () => void): void;
};

/** A signature that holds, for this order, on this device, and now, or when it began ({@link Admission.earlier}). */
export interface Admission<T extends SignedType> {
  claims: SignedClaims<T>;
  /** Under which its use is recorded: see {@link OrderGate.spent}. */
  id: string;
  /** Thumbprint of the key that signed. */
  signer: string;
  /**
   * How far this same order had come before; undefined if it is new. `begun` or `ended`: the time is not judged again, its
   * answer is what is recorded.
   */
  earlier: SpentOrder | undefined;
}

/**
 * Where every signed order is judged, in the app that has the effect and before anything else happens (invariant 7):
 * signature and role, audience, order, time, single use. What it stands on (bundle, identity, used signatures) is this app's
 * own and verified by it; the gateway only carries it.
 */
export class OrderGate {
  readonly spent: SpentOrders;
  readonly #signedTime: SignedTime;
  readonly #trust: HeldTrust;
  readonly #options: OrderGateOptions;
  #tail: Promise<void> = Promise.resolve();
  readonly #alarmed = new Set<string>();

  constructor(options: OrderGateOptions) {
    const { stateDir, trustAnchorFile } = options;
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#options = options;
    const file = join(stateDir, 'trust.json');
    // The record is made before the first bundle is: without the one beside the other, somebody or something removed it.
    this.spent = new SpentOrders(join(stateDir, 'spent-orders.db'), { expected: existsSync(file) });
    this.#signedTime = new SignedTime(join(stateDir, 'signed-time.json'), this.spent.signedTime);
    this.#trust = new HeldTrust({ file, anchorFile: trustAnchorFile, versions: this.spent.versions });
    if (this.spent.recovered) this.#alarm('spent-orders-lost', {});
    if (this.#trust.damaged || this.#trust.lost) this.#alarm('trust-lost', { damaged: this.#trust.damaged });
    options.hub.onRegistered(() => void this.#refresh());
    options.hub.onNotification('trust', () => void this.#refresh());
  }

  /**
   * @param brought an order that a person brought to the device: with no server's time since boot its time is judged by this
   *   clock, epoch milliseconds, though never before the latest signature that was taken.
   * @throws RejectedError with the exact rule (signed-claims.ts, spent-orders.ts, held-trust.ts); TransientError
   *   `no-server-time`, `spent-orders-full`, `spent-orders-unwritable`: offer it again.
   */
  async admit<T extends SignedType>(
    type: T,
    jws: string,
    orderId: string,
    brought?: { nowMs(): number },
  ): Promise<Admission<T>> {
    await this.#refresh();
    const toldMs = this.#options.serverClock.nowMs() ?? brought?.nowMs();
    if (toldMs === undefined)
      throw new TransientError(
        'no-server-time',
        'a signature has an expiry, and the time is not known yet: try again later',
      );
    const bundle = this.#trust.bundle();
    const expected = { bundle, ...this.#trust.identity(), orderId };
    const { claims, signer } = await verifyClaims(type, jws, expected);
    const id = 'jti' in claims ? claims.jti : orderId;
    const before = this.spent.find(id, orderId);
    // Whether it was in time was decided when it began: what has an outcome, or may have one, is answered by that.
    if (before !== undefined && before.phase !== 'claimed') return { claims, id, signer, earlier: before };
    const nowMs = this.#signedTime.notBefore(toldMs);
    checkTime(claims, nowMs);
    const { exp, iat } = claims;
    const earlier = this.spent.claim({ id, orderId, exp, iat, nowMs });
    this.#signedTime.reached(iat);
    return { claims, id, signer, earlier };
  }

  /** SHA-256 of the first root of the repository of releases, hexadecimal; undefined if the trust bundle names none. */
  releaseRootSha256(): string | undefined {
    return this.#trust.bundle().tufRootSha256;
  }

  close(): void {
    this.spent.close();
  }

  /** Takes the bundles that the gateway has above ours, as far as each proves itself; one look after the other. */
  #refresh(): Promise<void> {
    this.#tail = this.#tail.then(() => this.#followBundles());
    return this.#tail;
  }

  #told(identity: DeviceIdentity): void {
    try {
      if (this.#trust.told(identity)) return;
      this.#alarm('device-id-changed', { deviceId: identity.deviceId, groups: identity.groups });
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      this.#options.log.warn({ code: error.code }, error.message);
    }
  }

  async #followBundles(): Promise<void> {
    try {
      for (;;) {
        const before = this.#trust.version;
        const { bundles, device } = await this.#options.hub.request('trustBundles', { above: before });
        if (device !== undefined) this.#told(device);
        for (const jws of bundles) await this.#trust.take(jws);
        if (this.#trust.version === before) return;
        this.#options.log.info({ version: this.#trust.version }, 'trust bundle taken');
      }
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      if (error.code === 'untrusted-bundle' || error.code === 'bundle-rollback')
        this.#alarm('trust-refused', { code: error.code, why: error.message, held: this.#trust.version });
      // Otherwise the gateway is away, or nobody told this device whom to trust: what is held counts.
    }
  }

  /** Once for each in the life of this process: a captured gateway must not fill log and lane. */
  #alarm(kind: string, data: Record<string, unknown>): void {
    const key = JSON.stringify([kind, data]);
    if (this.#alarmed.has(key) || this.#alarmed.size > 100) return;
    this.#alarmed.add(key);
    reportEvent(this.#options, kind, 'critical', data);
  }
}
