import type { HubMember, SignedOrders } from '@bowline/device-app';
import { judgeUpdate } from '@bowline/identity/policy';
import type { SignedClaims, SoftwareUpdate } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { Logger } from '@bowline/runtime';
import { ContractError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { UpdateEngine } from '../engine/engine.ts';
import { order as isUpdate } from '../generated/orders.js';

/** What a person brought the release in. */
export interface Brought {
  file: string;
  /** @throws TransientError if it is not good for this order: then the order is not used up. */
  check(claims: SignedClaims<'softwareUpdate'>): Promise<void>;
}

/** How an update order is read and judged, and given to the engine. */
export const updateOrders = (
  engine: UpdateEngine,
  hub: HubMember,
  log: Logger,
  bundle?: Brought,
): SignedOrders<'softwareUpdate'> => ({
  type: 'softwareUpdate',
  signedPart: (payload) => check<SoftwareUpdate>(isUpdate, payload).order,
  judge: (policy, claims) => judgeUpdate(policy, claims),
  resumes: (orderId) => engine.knows(orderId),
  resume: ({ orderId }) => engine.resume(orderId),
  carryOut: async ({ orderId, payload, claims, id, signer, earlier }) => {
    if (claims.name === undefined || (claims.version === undefined && claims.digest === undefined))
      throw new ContractError('incomplete-order', 'the order names no release: name, and version or digest');
    refuseExpired(payload['expiresAt'], hub.serverClock.nowMs());
    if (earlier !== undefined && earlier.phase !== 'claimed') {
      // It began, and the journal that says how far is lost.
      const error = { code: 'journal-lost', message: 'the order had begun, and its journal is lost' };
      hub
        .report({ orderId, status: 'indeterminate', error })
        .catch((cause: unknown) => log.warn({ orderId, error: cause }, 'could not be reported'));
      return;
    }
    await bundle?.check(claims);
    engine.take(orderId, claims, bundle?.file);
    hub.gate.spent.begin(id);
    log.info({ orderId, signer, name: claims.name, version: claims.version }, 'update accepted');
  },
});

function refuseExpired(expiresAt: unknown, nowMs: number | undefined): void {
  if (typeof expiresAt !== 'number') return;
  if (nowMs === undefined)
    throw new TransientError('no-server-time', 'the order has an expiry, and the time is not known yet');
  if (expiresAt <= nowMs) throw new RejectedError('order-expired', 'its expiresAt has passed');
}
