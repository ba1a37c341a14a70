import { openHub, type Peer } from '@bowline/ipc';
import type { Event } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { createLogger, systemClock } from '@bowline/runtime';

export interface TestGateway {
  events: { id: string; event: Event }[];
  peers(): Peer[];
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
  hub.handle('register', () => ({ bootId: '00000000-0000-4000-8000-000000000000', link: 'offline' }));
  hub.handle('enqueue', async ({ messages }) => {
    for (const { id, payload } of messages) events.push({ id, event: checkOutgoing('event', payload) });
    await accept();
    return { accepted: messages.length, duplicate: false };
  });
  return { events, peers: () => hub.peers(), close: () => hub.close() };
}
