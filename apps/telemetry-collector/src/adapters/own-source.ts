import type { HubClient } from '@bowline/ipc';
import { GatewayLives, ownReadings } from '../core/own-readings.ts';
import type { Reading } from '../core/sample.ts';

type StatusClient = Pick<HubClient, 'request' | 'connected'>;

/** Figures of this agent itself; none while the gateway is away, since it is the one who knows. */
export function ownReader(client: StatusClient): () => Promise<Reading[]> {
  const lives = new GatewayLives();
  return async () => {
    if (!client.connected) return [];
    const status = await client.request('status', {});
    const { gateway } = status;
    return [...ownReadings(status), ...(gateway === undefined ? [] : lives.seen(gateway.pid))];
  };
}
