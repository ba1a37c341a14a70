import { openHub, type Hub, type Peer } from '@bowline/ipc';
import type { TrustBundleJws } from '@bowline/messages';
import type { AppRequests, HubRequests } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';
import { waitFor } from '@bowline/testing';

export type Report = HubRequests['reportOrder']['request'];
export type HandedOrder = AppRequests['order']['request'];

/** The gateway's hub on a real socket; what becomes of a report is up to the test. */
export interface TestGateway {
  reports: Report[];
  /** Kinds of the events that were handed over. */
  events: string[];
  /** What it offers, oldest first; a captured one may offer anything. */
  bundles: { version: number; jws: TrustBundleJws }[];
  peers(): Peer[];
  hand(order: HandedOrder): Promise<void>;
  cancel(orderId: string): Promise<AppRequests['cancelOrder']['response']>;
  /** Waits until this order was reported with this status. */
  reported(orderId: string, status: Report['status']): Promise<Report>;
  close(): Promise<void>;
}

const log = createLogger({ app: 'test-gateway', write: () => {} });

export async function openTestGateway(
  folder: string,
  {
    serverTime,
    deviceId,
    groups = [],
    bundles = [],
    onReport = () => Promise.resolve(),
  }: {
    serverTime?: number;
    deviceId?: string;
    groups?: string[];
    bundles?: TestGateway['bundles'];
    onReport?: (report: Report) => Promise<void>;
  } = {},
): Promise<TestGateway> {
  const hub: Hub = await openHub({ folder, log, clock: systemClock });
  const reports: Report[] = [];
  const events: string[] = [];
  const attempts = new Map<string, number>();
  hub.handle('register', () => ({
    bootId: '00000000-0000-4000-8000-000000000000',
    link: 'online',
    ...(serverTime === undefined ? {} : { serverTime }),
  }));
  hub.handle('trustBundles', ({ above }) => ({
    bundles: bundles.filter(({ version }) => version > above).map(({ jws }) => jws),
    ...(deviceId === undefined ? {} : { device: { deviceId, groups } }),
  }));
  hub.handle('enqueue', ({ messages }) => {
    for (const { payload } of messages) events.push(String(payload['kind']));
    return { accepted: messages.length, duplicate: false };
  });
  hub.handle('reportOrder', async (report) => {
    reports.push(report);
    await onReport(report);
    if (report.status === 'started') attempts.set(report.orderId, report.attempt ?? 0);
    return { attempt: attempts.get(report.orderId) ?? 0 };
  });
  return {
    reports,
    events,
    bundles,
    peers: () => hub.peers(),
    hand: async (order) => {
      await waitFor(() => hub.peers().length > 0, { what: 'the app to register' });
      await hub.request('command-executor', 'order', order);
    },
    cancel: (orderId) => hub.request('command-executor', 'cancelOrder', { orderId }),
    reported: (orderId, status) =>
      waitFor(() => reports.find((report) => report.orderId === orderId && report.status === status), {
        what: `${status} of ${orderId}`,
      }),
    close: () => hub.close(),
  };
}
