import { createHash } from 'node:crypto';
import { takeBroughtOrder, type HubMember } from '@bowline/device-app';
import { unverifiedClaims } from '@bowline/identity';
import { trustedTime } from '@bowline/releases/device';
import { RELEASED_AT, type Clock, type Logger } from '@bowline/runtime';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import type { UpdateEngine } from '../engine/engine.ts';
import type { ReleaseSources } from '../supply/release-sources.ts';
import type { BundleRequest } from './bundle-requests.ts';
import { updateOrders } from './update-orders.ts';

export interface TakeBundleOptions {
  hub: HubMember;
  engine: UpdateEngine;
  sources: ReleaseSources;
  log: Logger;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Takes a release that a person brought, with an order that is signed as one over the link is. What is wrong with the bundle
 * itself is found before the order is used up, so that a better bundle may come with the same one.
 *
 * @returns the id of the order. @throws RejectedError, TransientError: why not.
 */
export async function takeBundle(
  { file, order }: BundleRequest,
  { hub, engine, sources, log, clock, signal }: TakeBundleOptions,
): Promise<string> {
  const bundle = sources.bundle(file);
  const signed = order ?? (await bundle.order(signal));
  if (signed === undefined)
    throw new RejectedError(
      'bundle-without-order',
      `${file} holds no signed order, and none was given beside it`,
    );
  const orderId = orderIdOf(signed);
  const check = async (claims: Parameters<typeof bundle.resolve>[0]) => {
    try {
      await bundle.resolve(claims, signal);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      throw new TransientError(error.code, error.message, { cause: error });
    }
  };
  const brought = {
    nowMs: () => trustedTime({ serverMs: undefined, wallMs: clock.wallMs(), notBeforeMs: RELEASED_AT }),
  };
  const given = { orderId, type: 'softwareUpdate', payload: { order: signed } } as const;
  const orders = updateOrders(engine, hub, log, { file, check });
  const refusal = await takeBroughtOrder(hub, given, orders, brought);
  if (refusal !== undefined) throw new RejectedError(refusal.code, refusal.message);
  if (!engine.knows(orderId))
    throw new RejectedError('replayed', 'this order was carried out before: a signature is good once');
  return orderId;
}

/** The same for the same order, whenever it is brought: a second time goes on where the first one was cut off. */
function orderIdOf(signed: string): string {
  const claims = unverifiedClaims(signed);
  if (claims === undefined)
    throw new RejectedError('invalid', 'the order that was brought is no signed order');
  const { orderId, jti } = claims;
  if (typeof orderId === 'string') return orderId;
  const hash = createHash('sha256').update(String(jti)).digest('hex');
  const parts = [hash.slice(0, 8), hash.slice(8, 12), `7${hash.slice(13, 16)}`, `8${hash.slice(17, 20)}`];
  return [...parts, hash.slice(20, 32)].join('-');
}
