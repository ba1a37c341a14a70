import { handTo } from '@bowline/device-app/testing';
import { openHub, type Hub, type Peer } from '@bowline/ipc';
import type { TrustBundleJws } from '@bowline/messages';
import type { AppRequests, HubNotifications, HubRequests, TrialView } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';
import { waitFor } from '@bowline/testing';

export type Report = HubRequests['reportOrder']['request'];
export type HandedOrder = AppRequests['order']['request'];

/** The gateway's hub on a real socket; what becomes of a report is up to the test. */
export interface TestGateway {
  reports: Report[];
  /** Kinds of the events that were handed over. */
  events: string[];
  /** Parts of history uploads that were handed over. */
  parts: HistoryPart[];
  /** Notes of progress, as they came. */
  progress: HubNotifications['progress'][];
  /** What it says is being tried out. */
  trial: TrialView | undefined;
  /** What the executor said last may run again. */
  idempotent(): readonly string[];
  /** What it offers, oldest first; a captured one may offer anything. */
  bundles: { version: number; jws: TrustBundleJws }[];
  peers(): Peer[];
  hand(order: HandedOrder): Promise<void>;
  cancel(orderId: string): Promise<AppRequests['cancelOrder']['response']>;
  /** Waits until this order was reported with this status. */
  reported(orderId: string, status: Report['status']): Promise<Report>;
  close(): Promise<void>;
}

type HistoryPart = { id: string; orderId: string; part: number; last: boolean; data: string };

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
  const parts: HistoryPart[] = [];
  const progress: HubNotifications['progress'][] = [];
  const attempts = new Map<string, number>();
  let repeatable: readonly string[] = [];
  hub.handle('register', ({ idempotent = [] }) => {
    repeatable = idempotent;
    return {
      bootId: '00000000-0000-4000-8000-000000000000',
      link: 'online',
      ...(serverTime === undefined ? {} : { serverTime }),
    };
  });
  hub.handle('idempotent', ({ commands }) => {
    repeatable = commands;
    return {};
  });
  hub.handle('setLogLevel', () => ({ previous: 'warn' }));
  hub.onNotification('progress', (body) => progress.push(body));
  hub.handle('trustBundles', ({ above }) => ({
    bundles: bundles.filter(({ version }) => version > above).map(({ jws }) => jws),
    ...(deviceId === undefined ? {} : { device: { deviceId, groups } }),
  }));
  hub.handle('enqueue', ({ messages }) => {
    for (const { id, type, payload } of messages) {
      if (type === 'history') parts.push({ ...payload, id } as HistoryPart);
      else events.push(String(payload['kind']));
    }
    return { accepted: messages.length, duplicate: false };
  });
  hub.handle('reportOrder', async (report) => {
    reports.push(report);
    await onReport(report);
    if (report.status === 'started') attempts.set(report.orderId, report.attempt ?? 0);
    return { attempt: attempts.get(report.orderId) ?? 0 };
  });
  hub.handle('status', () => ({
    device: { bootId: 'boot', agentVersion: '0', uptimeSeconds: 1 },
    link: { state: 'online', since: 0, attempts: 0 },
    queue: { epoch: 'epoch', lanes: {}, deadLetters: 0 },
    apps: {},
    ...(gateway.trial === undefined ? {} : { trial: gateway.trial }),
    orders: [],
    counters: {},
  }));
  const gateway: TestGateway = {
    trial: undefined,
    reports,
    events,
    parts,
    progress,
    idempotent: () => repeatable,
    bundles,
    peers: () => hub.peers(),
    hand: (order) => handTo(hub, 'command-executor', order),
    cancel: (orderId) => hub.request('command-executor', 'cancelOrder', { orderId }),
    reported: (orderId, status) =>
      waitFor(() => reports.find((report) => report.orderId === orderId && report.status === status), {
        what: `${status} of ${orderId}`,
      }),
    close: () => hub.close(),
  };
  return gateway;
}
