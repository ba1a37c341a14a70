import type { TrustBundleJws } from '@bowline/messages';
import type { OrderBook } from '../orders/order-book.ts';
import { hasEnded } from '../orders/order.ts';
import type { ServerTrust } from './server-trust.ts';

const CAPABILITY = 'trust:';
/** Of a device, looked through for bundles that are on their way already. */
const RECENT = 200;

/** The version that a device says it holds (`trust:VERSION` in `hello.capabilities`); undefined: it does not say. */
export function heldVersion(capabilities: readonly string[]): number | undefined {
  const found = capabilities.find((capability) => capability.startsWith(CAPABILITY));
  const version = Number(found?.slice(CAPABILITY.length));
  return Number.isSafeInteger(version) && version > 0 ? version : undefined;
}

/**
 * Gives a device the bundles that it lacks, as orders `trust`, but none that is on its way already.
 *
 * @throws TransientError `too-many-orders`.
 */
export async function sendTrust(
  { orders, trust }: { orders: OrderBook; trust: ServerTrust },
  { deviceId, serverEpoch, held }: { deviceId: string; serverEpoch: string; held: number },
): Promise<void> {
  const missing = trust.above(held);
  if (missing.length === 0) return;
  const underWay = new Set(
    orders
      .list(deviceId, RECENT)
      .filter((order) => order.type === 'trust' && !hasEnded(order))
      .map(({ payload }) => (payload as { trust: TrustBundleJws }).trust.payload),
  );
  for (const { jws } of missing)
    if (!underWay.has(jws.payload))
      await orders.create(deviceId, serverEpoch, { type: 'trust', payload: { trust: jws } });
}
