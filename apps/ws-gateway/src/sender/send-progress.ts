import type { DurableQueue } from '@bowline/durable-queue';
import type { HubApp, HubNotifications } from '@bowline/messages/hub';
import type { Clock } from '@bowline/runtime';
import { ContractError } from '@bowline/runtime/errors';
import type { Counters } from '../counters.ts';
import { appFor } from '../dispatcher/route.ts';
import { liveFrame } from './new-message.ts';

/** At most two a second an order (protocol, section 4). */
const EVERY_MS = 500;

/** Progress of orders: live only, coalesced to the newest, never stored. */
export class Progress {
  readonly #queue: Pick<DurableQueue, 'order'>;
  readonly #clock: Clock;
  readonly #counters: Pick<Counters, 'add'>;
  readonly #send: (text: string) => void;
  readonly #due = new Map<string, HubNotifications['progress'] | undefined>();

  constructor(
    queue: Pick<DurableQueue, 'order'>,
    clock: Clock,
    counters: Pick<Counters, 'add'>,
    send: (text: string) => void,
  ) {
    this.#queue = queue;
    this.#clock = clock;
    this.#counters = counters;
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
    const text = this.#frameOf(body, attempt);
    if (text !== undefined) this.#send(text);
    this.#due.set(body.orderId, undefined);
    this.#clock.after(EVERY_MS, () => {
      const newest = this.#due.get(body.orderId);
      this.#due.delete(body.orderId);
      const entry = this.#queue.order(body.orderId);
      if (newest !== undefined && entry?.status === 'started') this.#sendNow(newest, entry.attempt);
    });
  }

  /** Undefined for one that nests deeper than the wire takes: an app is not to cost the link. */
  #frameOf(body: HubNotifications['progress'], attempt: number): string | undefined {
    const at = this.#clock.wallMs();
    try {
      return liveFrame('ack', { ...body, status: 'progress', attempt, at }, at).text;
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      this.#counters.add('progress.dropped');
      return undefined;
    }
  }
}
