import { openHub, type Peer } from '@bowline/ipc';
import type { Event, Gap, Sample } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import type { HubRequests } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';

type Enqueue = HubRequests['enqueue']['request'];

/** What a gateway has accepted; outlives it, as the real one's disk does. */
export class TestStore {
  readonly samples: Sample[] = [];
  readonly gaps: Gap[] = [];
  readonly events: Event[] = [];
  readonly messageIds: string[] = [];
  readonly #batches = new Map<string, number>();

  /** Whether the batch was stored already. */
  store({ producer, batch, messages }: Enqueue): boolean {
    if (batch <= (this.#batches.get(producer) ?? 0)) return true;
    this.#batches.set(producer, batch);
    for (const { id, type, payload } of messages) {
      if (type === 'telemetry') this.samples.push(...checkOutgoing('telemetry', payload).samples);
      if (type === 'event') this.events.push(checkOutgoing('event', payload));
      if (type === 'gap') this.gaps.push(checkOutgoing('gap', payload));
      this.messageIds.push(id);
    }
    return false;
  }
}

export interface TestGateway {
  peers(): Peer[];
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  store: TestStore;
  /** May refuse by throwing. */
  accept?: () => void;
  serverTime?: number;
}

const log = createLogger({ app: 'test-gateway', write: () => {} });

/** The gateway's hub on a real socket. */
export async function openTestGateway(
  folder: string,
  { store, accept = () => {}, serverTime }: TestGatewayOptions,
): Promise<TestGateway> {
  const hub = await openHub({ folder, log, clock: systemClock });
  hub.handle('register', () => ({
    bootId: '00000000-0000-4000-8000-000000000000',
    link: 'online',
    ...(serverTime === undefined ? {} : { serverTime }),
  }));
  hub.handle('enqueue', (request) => {
    accept();
    return { accepted: request.messages.length, duplicate: store.store(request) };
  });
  return { peers: () => hub.peers(), close: () => hub.close() };
}
