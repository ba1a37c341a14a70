import { openHub, type Peer } from '@bowline/ipc';
import type { Event, TrustBundleJws } from '@bowline/messages';
import type { AppRequests, HubRequests } from '@bowline/messages/hub';
import type { HubApp } from '@bowline/messages/hub/apps';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { createLogger, systemClock } from '@bowline/runtime';
import { waitFor } from '@bowline/testing';

type Report = HubRequests['reportOrder']['request'];

export interface TestGateway {
  events: { id: string; event: Event }[];
  /** What it offers to every app that asks. */
  bundles: TrustBundleJws[];
  peers(): Peer[];
  /** Hands an order over, with the server's time, and waits for what becomes of it. */
  outcome(
    app: HubApp,
    order: Pick<AppRequests['order']['request'], 'orderId' | 'type' | 'payload'>,
  ): Promise<Report>;
  close(): Promise<void>;
}

const log = createLogger({ app: 'test-gateway', write: () => {} });

/** The gateway's hub on a real socket. `accept` is called before an answer: it may refuse by throwing, or never end. */
export async function openTestGateway(
  folder: string,
  accept: () => Promise<void> = () => Promise.resolve(),
): Promise<TestGateway> {
  const hub = await openHub({ folder, log, clock: systemClock });
  const events: TestGateway['events'] = [];
  const bundles: TrustBundleJws[] = [];
  const reports: Report[] = [];
  hub.handle('register', () => ({ bootId: '00000000-0000-4000-8000-000000000000', link: 'offline' }));
  hub.handle('trustBundles', ({ above }) => ({
    bundles: above === 0 ? bundles : [],
    device: { deviceId: 'd1', groups: ['kitchen'] },
  }));
  hub.handle('reportOrder', (report) => {
    reports.push(report);
    return { attempt: 0 };
  });
  hub.handle('enqueue', async ({ messages }) => {
    for (const { id, payload } of messages) events.push({ id, event: checkOutgoing('event', payload) });
    await accept();
    return { accepted: messages.length, duplicate: false };
  });
  return {
    events,
    bundles,
    peers: () => hub.peers(),
    async outcome(app, order) {
      await waitFor(() => hub.peers().length > 0, { what: `${app} to register` });
      const at = Date.now();
      reports.length = 0;
      await hub.request(app, 'order', {
        ...order,
        state: 'received',
        attempt: 0,
        receivedAt: at,
        serverTime: at,
      });
      return waitFor(() => reports.find(({ orderId }) => orderId === order.orderId), { what: 'a report' });
    },
    close: () => hub.close(),
  };
}
