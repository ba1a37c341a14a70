import type { DurableQueue, JournalEntry } from '@bowline/durable-queue';
import type { Hub } from '@bowline/ipc';
import type { HubApp } from '@bowline/messages/hub';
import { toWireError } from '@bowline/runtime/errors';
import type { Clock, Logger, ServerClock } from '@bowline/runtime';
import { appFor, type OrderHandler } from './route.ts';

/** How long an app may take to say that it took note of an order. */
const TAKEN_DEADLINE_MS = 10_000;
/** An app that is there but did not take an order is offered it again after this. */
const OFFER_AGAIN_MS = 5_000;

/** A part of the gateway that has the effect of some orders, as an app has that of others. */
export interface OwnHandler {
  take(entry: JournalEntry): void;
  cancel(entry: JournalEntry): 'cancelled' | 'too-late';
}

/**
 * Hands orders to the apps that registered for them. An order whose app is away waits in the journal; when the app
 * registers (again) it is told of every order of its types that has not ended, and knows itself which it has in hand.
 */
export class HandOver {
  readonly #hub: Hub;
  readonly #queue: Pick<DurableQueue, 'unfinishedOrders' | 'order'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #serverClock: ServerClock;
  readonly #own: OwnHandler;

  constructor(ports: {
    hub: Hub;
    queue: DurableQueue;
    clock: Clock;
    log: Logger;
    serverClock: ServerClock;
    own: OwnHandler;
  }) {
    const { hub, queue, clock, log, own } = ports;
    this.#own = own;
    this.#serverClock = ports.serverClock;
    this.#hub = hub;
    this.#queue = queue;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether an app of this device handles the type, or may when it is back. */
  supports(type: string): boolean {
    const app = appFor(type);
    if (app === undefined) return false;
    if (app === 'ws-gateway') return true;
    const peer = this.#peer(app);
    return peer === undefined || peer.orderTypes.some((handled) => handled === type);
  }

  /** Whether the app of this type is here and has no order in hand. */
  startsAtOnce(type: string): boolean {
    const app = appFor(type);
    if (app === undefined || this.#peer(app) === undefined) return false;
    return !this.#queue.unfinishedOrders().some((entry) => appFor(entry.type) === app);
  }

  /** Orders of this app that have not ended, in order of their seq. */
  offerAll(app: HubApp): void {
    for (const entry of this.#queue.unfinishedOrders()) {
      if (appFor(entry.type) === app) this.offer(entry);
    }
  }

  offer(entry: JournalEntry): void {
    const app = appFor(entry.type);
    if (app === 'ws-gateway') return this.#own.take(entry);
    if (app === undefined || this.#peer(app) === undefined) return;
    const serverTime = this.#serverClock.nowMs();
    const handed = {
      orderId: entry.orderId,
      type: entry.type as 'command',
      payload: JSON.parse(entry.payloadJson) as Record<string, unknown>,
      state: entry.status === 'started' ? ('started' as const) : ('received' as const),
      attempt: entry.attempt,
      receivedAt: entry.receivedAt,
      ...(serverTime === undefined ? {} : { serverTime: Math.round(serverTime) }),
    };
    this.#hub.request(app, 'order', handed, { deadlineMs: TAKEN_DEADLINE_MS }).then(
      () => this.#log.debug({ orderId: entry.orderId, app }, 'order handed over'),
      (error: unknown) => {
        this.#log.warn({ orderId: entry.orderId, app, error: toWireError(error) }, 'order was not taken');
        this.#clock.after(OFFER_AGAIN_MS, () => this.#offerAgain(entry.orderId));
      },
    );
  }

  #offerAgain(orderId: string): void {
    const entry = this.#queue.order(orderId);
    if (entry !== undefined && entry.endedAt === undefined) this.offer(entry);
  }

  /** Asks the app to stop an order; undefined if the app is away. */
  async cancel(
    entry: JournalEntry,
  ): Promise<'cancelled' | 'stopping' | 'too-late' | 'unknown-order' | undefined> {
    const app = appFor(entry.type);
    if (app === 'ws-gateway') return this.#own.cancel(entry);
    if (app === undefined || this.#peer(app) === undefined) return undefined;
    const { outcome } = await this.#hub.request(
      app,
      'cancelOrder',
      { orderId: entry.orderId },
      { deadlineMs: TAKEN_DEADLINE_MS },
    );
    return outcome;
  }

  #peer(app: OrderHandler) {
    return this.#hub.peers().find((peer) => peer.app === app);
  }
}
