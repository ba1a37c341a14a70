import type { DurableQueue } from '@bowline/durable-queue';
import type { HubApp, HubNotifications } from '@bowline/messages/hub';
import type { Clock } from '@bowline/runtime';
import { appFor } from '../dispatcher/route.ts';
import { liveFrame } from './new-message.ts';

/** At most two a second an order (protocol, section 4). */
const EVERY_MS = 500;

/** Progress of orders: live only, coalesced to the newest, never stored. */
export class Progress {
  readonly #queue: Pick<DurableQueue, 'order'>;
  readonly #clock: Clock;
  readonly #send: (text: string) => void;
  readonly #due = new Map<string, HubNotifications['progress'] | undefined>();

  constructor(queue: Pick<DurableQueue, 'order'>, clock: Clock, send: (text: string) => void) {
    this.#queue = queue;
    this.#clock = clock;
    this.#send = send;
  }

  report(app: HubApp, body: HubNotifications['progress']): void {
    const entry = this.#queue.order(body.orderId);
    if (entry?.status !== 'started' || appFor(entry.type) !== app) return;
    if (this.#due.has(body.orderId)) {
      this.#due.set(body.orderId, body);
      return;
    }
    this.#sendNow(body, entry.attempt);
  }

  #sendNow(body: HubNotifications['progress'], attempt: number): void {
    const at = this.#clock.wallMs();
    this.#send(liveFrame('ack', { ...body, status: 'progress', attempt, at }, at).text);
    this.#due.set(body.orderId, undefined);
    this.#clock.after(EVERY_MS, () => {
      const newest = this.#due.get(body.orderId);
      this.#due.delete(body.orderId);
      const entry = this.#queue.order(body.orderId);
      if (newest !== undefined && entry?.status === 'started') this.#sendNow(newest, entry.attempt);
    });
  }
}
