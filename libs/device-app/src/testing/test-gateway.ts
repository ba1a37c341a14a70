import { createKey, signHostKeyProof, type SigningKey } from '@bowline/identity';
import { openHub, type Hub, type Peer } from '@bowline/ipc';
import type { Event, TrustBundleJws } from '@bowline/messages';
import type { AppRequests, HubNotifications, HubRequests } from '@bowline/messages/hub';
import type { HubApp, LinkStateName } from '@bowline/messages/hub/apps';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { createLogger, systemClock } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import { isRunning, waitFor } from '@bowline/testing';

export type Report = HubRequests['reportOrder']['request'];
type Handed = AppRequests['order']['request'];
/** The rest is filled in: new, just received, with the server's time. */
export type NewOrder = Pick<Handed, 'orderId' | 'type' | 'payload'> & Partial<Handed>;

/** The gateway's hub on a real socket, with the device `d1` of the group `kitchen` behind it. */
export interface TestGateway {
  readonly events: { id: string; event: Event }[];
  readonly reports: Report[];
  readonly progress: HubNotifications['progress'][];
  /** For how long configurations were to be held, each time, and by which process. */
  readonly configHolds: { forMs: number; pid: number }[];
  /** What it was told of trials. */
  readonly trials: HubNotifications['trial'][];
  /** What it says to that. */
  configUnderWay: boolean;
  /** The device's. */
  readonly key: SigningKey;
  /** What it offers to every app that asks. */
  readonly bundles: TrustBundleJws[];
  peers(): Peer[];
  /** Hands an order over; ends when the app has taken note of it. */
  hand(app: HubApp, order: NewOrder): Promise<void>;
  /** Hands an order over, and waits for the first report of it, or for the one that is `wanted`. */
  outcome(app: HubApp, order: NewOrder, wanted?: Report['status']): Promise<Report>;
  /** Waits until this order was reported with this status. */
  reported(orderId: string, status?: Report['status'], timeoutMs?: number): Promise<Report>;
  /** As the app says. */
  jobs(app: HubApp): HubNotifications['appState']['jobs'];
  runJob(app: HubApp, job: string): Promise<AppRequests['runJob']['response']>;
  cancel(app: HubApp, orderId: string): Promise<AppRequests['cancelOrder']['response']>;
  /** Gives it a section of the cloud's. */
  configure(app: HubApp, section: object): Promise<AppRequests['applyConfig']['response']>;
  /** Tells every app, and those that register later. */
  setLink(state: LinkStateName): void;
  /** The way of the link, for every app that asks; each is told that it is another. */
  setLinkProxy(way: HubRequests['linkProxy']['response']): void;
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  /** Called before `enqueue` is answered: it may refuse by throwing, or never end. */
  accept?: () => Promise<void>;
  link?: LinkStateName;
  /** Address of the link that it tells of. */
  server?: string;
}

const log = createLogger({ app: 'test-gateway', write: () => {} });

/** Hands an order to an app once it takes any: it registers before, and the gateway offers them again, too. */
export async function handTo(hub: Hub, app: HubApp, order: Handed): Promise<void> {
  // One that was killed a moment ago may not have been seen to go.
  const isHere = () => hub.peers().some((peer) => peer.app === app && isRunning(peer.pid));
  await waitFor(isHere, { what: `${app} to register` });
  const answer = () =>
    hub.request(app, 'order', order).then(
      () => ({ error: undefined }),
      (error: unknown) => !(error instanceof BowlineError && error.code === 'unsupported') && { error },
    );
  const { error } = await waitFor(answer, { what: `${app} to take orders` });
  if (error !== undefined) throw error;
}

export async function openTestGateway(
  folder: string,
  { accept = () => Promise.resolve(), link = 'offline', server }: TestGatewayOptions = {},
): Promise<TestGateway> {
  const key = await createKey();
  const hub = await openHub({ folder, log, clock: systemClock });
  const events: TestGateway['events'] = [];
  const reports: Report[] = [];
  const progress: TestGateway['progress'] = [];
  const bundles: TrustBundleJws[] = [];
  const attempts = new Map<string, number>();
  let state = link;
  hub.handle('register', () => ({
    deviceId: 'd1',
    bootId: '00000000-0000-4000-8000-000000000000',
    link: state,
    serverTime: Date.now(),
  }));
  hub.handle('trustBundles', ({ above }) => ({
    bundles: above === 0 ? bundles : [],
    device: { deviceId: 'd1', groups: ['kitchen'] },
  }));
  hub.handle('proveHostKey', async (claims) => ({
    proof: await signHostKeyProof(key, { ...claims, nowMs: Date.now() }),
  }));
  hub.handle('reportOrder', (report) => {
    reports.push(report);
    if (report.status === 'started') attempts.set(report.orderId, report.attempt ?? 1);
    return { attempt: attempts.get(report.orderId) ?? 0 };
  });
  hub.handle('enqueue', async ({ messages }) => {
    for (const { id, payload } of messages) events.push({ id, event: checkOutgoing('event', payload) });
    await accept();
    return { accepted: messages.length, duplicate: false };
  });
  let linkProxy: HubRequests['linkProxy']['response'] = { noProxy: [] };
  hub.handle('linkProxy', () => linkProxy);
  hub.handle('status', () => statusOf(state, server));
  const configHolds: TestGateway['configHolds'] = [];
  const trials: TestGateway['trials'] = [];
  hub.onNotification('trial', (told) => void trials.push(told));
  hub.handle('holdConfig', ({ forMs }, { pid }) => {
    configHolds.push({ forMs, pid });
    return { underWay: gateway.configUnderWay };
  });
  const jobs = new Map<HubApp, HubNotifications['appState']['jobs']>();
  hub.onNotification('appState', (told, { app }) => void jobs.set(app, told.jobs));
  hub.onNotification('progress', (told) => void progress.push(told));
  const reported: TestGateway['reported'] = (orderId, status, timeoutMs) =>
    waitFor(
      () =>
        reports.find(
          (report) => report.orderId === orderId && (status === undefined || report.status === status),
        ),
      {
        what: `a report ${status ?? ''} of ${orderId}`,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      },
    );
  const hand: TestGateway['hand'] = (app, order) => {
    const at = Date.now();
    return handTo(hub, app, { state: 'received', attempt: 0, receivedAt: at, serverTime: at, ...order });
  };
  const gateway: TestGateway = {
    key,
    configHolds,
    trials,
    configUnderWay: false,
    events,
    reports,
    progress,
    bundles,
    peers: () => hub.peers(),
    hand,
    reported,
    async outcome(app, order, wanted) {
      reports.length = 0;
      await hand(app, order);
      return reported(order.orderId, wanted);
    },
    jobs: (app) => jobs.get(app),
    runJob: (app, job) => hub.request(app, 'runJob', { job }),
    cancel: (app, orderId) => hub.request(app, 'cancelOrder', { orderId }),
    configure: (app, section) => hub.request(app, 'applyConfig', { version: 1, section: { ...section } }),
    setLink: (next) => {
      state = next;
      hub.notifyAll('link', { state, since: Date.now(), serverTime: Date.now() });
    },
    setLinkProxy: (way) => {
      linkProxy = way;
      hub.notifyAll('linkProxy', {});
    },
    close: () => hub.close(),
  };
  return gateway;
}

const statusOf = (state: LinkStateName, server: string | undefined): HubRequests['status']['response'] => ({
  device: { id: 'd1', bootId: 'boot', agentVersion: '0', uptimeSeconds: 1 },
  link: { state, since: 0, attempts: 0, ...(server === undefined ? {} : { server }) },
  queue: { epoch: 'epoch', lanes: {}, deadLetters: 0 },
  apps: {},
  orders: [],
  counters: {},
});
