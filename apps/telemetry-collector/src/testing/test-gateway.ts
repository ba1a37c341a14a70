import { openHub, type Peer } from '@bowline/ipc';
import type { Event, Gap, History, Sample } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import type { AppRequests, DeviceStatus, HubNotifications, HubRequests } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';

type Enqueue = HubRequests['enqueue']['request'];

/** What a gateway has accepted; outlives it, as the real one's disk does. */
export class TestStore {
  readonly samples: Sample[] = [];
  readonly gaps: Gap[] = [];
  readonly events: Event[] = [];
  /** Of each event, the id of its message. */
  readonly eventIds: string[] = [];
  readonly messageIds: string[] = [];
  readonly parts: History[] = [];
  /** Samples of batches that were said to be of the past. */
  past = 0;
  readonly reports: HubRequests['reportOrder']['request'][] = [];
  readonly #batches = new Map<string, number>();

  /** Whether the batch was stored already. */
  store({ producer, batch, messages, past = false }: Enqueue): boolean {
    if (batch <= (this.#batches.get(producer) ?? 0)) return true;
    this.#batches.set(producer, batch);
    for (const { id, type, payload } of messages) {
      if (type === 'telemetry') {
        const { samples } = checkOutgoing('telemetry', payload);
        this.samples.push(...samples);
        if (past) this.past += samples.length;
      }
      if (type === 'history') this.parts.push(checkOutgoing('history', payload));
      if (type === 'event') {
        this.events.push(checkOutgoing('event', payload));
        this.eventIds.push(id);
      }
      if (type === 'gap') this.gaps.push(checkOutgoing('gap', payload));
      this.messageIds.push(id);
    }
    return false;
  }
}

export interface TestGateway {
  peers(): Peer[];
  /** Tells the apps of the link to the cloud. */
  linkIs(state: 'online' | 'offline'): void;
  ask<N extends keyof AppRequests>(
    name: N,
    body: AppRequests[N]['request'],
  ): Promise<AppRequests[N]['response']>;
  /** As the collector says. */
  jobs(): HubNotifications['appState']['jobs'];
  notes(): HubNotifications['appState']['notes'];
  progress: HubNotifications['progress'][];
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  store: TestStore;
  /** Before it is stored: may refuse by throwing. */
  accept?: (request: Enqueue) => void;
  /** As a registering app is told, at that moment. */
  serverTime?: () => number;
  /** State of the link as a registering app is told; default online. */
  link?: 'online' | 'offline';
  /** Messages that wait in lane `history`. */
  waiting?: () => number;
}

const log = createLogger({ app: 'test-gateway', write: () => {} });

/** The gateway's hub on a real socket. */
export async function openTestGateway(
  folder: string,
  { store, accept = () => {}, serverTime, link = 'online', waiting = () => 0 }: TestGatewayOptions,
): Promise<TestGateway> {
  const hub = await openHub({ folder, log, clock: systemClock });
  let state: 'online' | 'offline' = link;
  let jobs: HubNotifications['appState']['jobs'];
  let notes: HubNotifications['appState']['notes'];
  const progress: HubNotifications['progress'][] = [];
  hub.onNotification('appState', (told) => {
    jobs = told.jobs ?? jobs;
    notes = told.notes ?? notes;
  });
  hub.onNotification('progress', (told) => void progress.push(told));
  hub.handle('status', () => statusWith(waiting()));
  hub.handle('reportOrder', (report) => {
    store.reports.push(report);
    return { attempt: report.attempt ?? 0 };
  });
  hub.handle('register', () => ({
    bootId: '00000000-0000-4000-8000-000000000000',
    link: state,
    ...(serverTime === undefined ? {} : { serverTime: serverTime() }),
  }));
  hub.handle('enqueue', (request) => {
    accept(request);
    return { accepted: request.messages.length, duplicate: store.store(request) };
  });
  return {
    peers: () => hub.peers(),
    linkIs: (now) => {
      state = now;
      hub.notifyAll('link', { state: now, since: Date.now() });
    },
    ask: (name, body) => hub.request('telemetry-collector', name, body),
    jobs: () => jobs,
    notes: () => notes,
    progress,
    close: () => hub.close(),
  };
}

/** As the gateway answers, with nothing in it but what the collector asks for. */
function statusWith(messages: number): DeviceStatus {
  const ledger = { accepted: 0, receipted: 0, expired: 0, dropped: 0, rejected: 0, waiting: 0 };
  return {
    device: { bootId: '', agentVersion: '', uptimeSeconds: 0 },
    link: { state: 'online', since: 0, attempts: 0 },
    queue: {
      epoch: '',
      deadLetters: 0,
      lanes: { history: { messages, bytes: 0, first: 1, next: 1, ledger } },
    },
    apps: {},
    orders: [],
    counters: {},
  };
}
