import type { DurableQueue, JournalEntry, NewMessage, WriteBatch } from '@bowline/durable-queue';
import { isTerminal } from '@bowline/messages';
import type { HubApp } from '@bowline/messages/hub';
import { BowlineError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Clock, Logger, ServerClock, Timer } from '@bowline/runtime';
import { ackOf } from '../sender/send-ack.ts';
import type { EventReporter } from '../event-reporter.ts';

import { dispatch, type IncomingOrder } from './dispatcher.ts';
import { applyReport, type OrderReport } from './order-state.ts';
import { performOwn, type OwnEffect } from './own-order.ts';
import { appFor, type OrderHandler } from './route.ts';

export interface OrderDeskPorts {
  queue: DurableQueue;
  clock: Clock;
  serverClock: ServerClock;
  log: Logger;
  events: EventReporter;
  bootId: string;
  /** Most orders that wait unstored while the store has no room for their acks. */
  parkedOrders(): number;
  /** Types of orders that the gateway carries out itself. */
  own: ReadonlyMap<string, OwnEffect>;
  supports(type: string): boolean;
  /** Whether the app of this type is here and has no other order in hand: it is about to start this one. */
  startsAtOnce(type: string): boolean;
  offer(entry: JournalEntry): void;
  cancel(entry: JournalEntry): Promise<'cancelled' | 'stopping' | 'too-late' | 'unknown-order' | undefined>;
  /** Something new is in the outbox. */
  stored(): void;
  /** The order became durable, or was so already: it may be receipted. */
  receipt(): void;
}

/** Refusals of the store that go away by themselves: the order waits, unreceipted (protocol, section 4, `results`). */
const PARKED_BY = ['lane-full', 'disk-full', 'store-busy'];

/**
 * How long an order that its idle app was told of may wait for the app's `started`, milliseconds, so that both share a commit.
 * An app that takes longer costs nothing but this.
 */
const HOLD_MS = 20;

/** An order that its app knows of and the disk does not, yet. Nobody else was told; a crash leaves it to the server. */
interface Held {
  order: IncomingOrder;
  entry: JournalEntry;
  batch: WriteBatch;
  timer: Timer;
  /** Settles when it is stored, or parked. */
  stored: PromiseWithResolvers<void>;
}

/**
 * The only place that changes an order's journal entry: each change and its ack are one transaction (invariant 2). Calls
 * are worked off one after the other, so that every decision sees the state that the one before it left.
 */
export class OrderDesk {
  readonly #ports: OrderDeskPorts;
  #tail: Promise<unknown> = Promise.resolve();
  #parked: IncomingOrder[] = [];
  /** Seq of an order that came on this link beyond what may be parked: to take what follows would receipt it. */
  #droppedFrom = Infinity;
  /** Orders being stopped → the cancels that asked for it. */
  readonly #cancels = new Map<string, Set<string>>();
  /** Cancels whose app is being asked. */
  readonly #asking = new Set<string>();
  /** Counts the links that were lost. */
  #lost = 0;
  #held: Held | undefined;

  constructor(ports: OrderDeskPorts) {
    this.#ports = ports;
  }

  /** An order off the wire. Resolves when it is durable, or parked until there is room. */
  async receive(order: IncomingOrder): Promise<void> {
    const { held } = await this.#inTurn(async () => {
      if (this.#parked.length > 0) await this.#park(order);
      else if (order.seq < this.#droppedFrom) await this.#take(order, this.#ports.startsAtOnce(order.type));
      return { held: this.#held };
    });
    await held?.stored.promise;
  }

  /** Room was made: tries what is parked, in order. */
  retryParked(): Promise<void> {
    return this.#inTurn(async () => {
      const waiting = this.#parked;
      const lost = this.#lost;
      this.#parked = [];
      for (const order of waiting) {
        // What the link that is gone brought must not be counted as the next one's.
        if (lost !== this.#lost) return;
        if (this.#parked.length > 0) await this.#park(order);
        else await this.#take(order, false);
      }
    });
  }

  /** Forgets what is parked or held: the link is gone and the server sends it again. */
  dropParked(): void {
    this.#lost += 1;
    this.#parked = [];
    this.#droppedFrom = Infinity;
    this.#release()?.stored.resolve();
  }

  /**
   * A report by the app that has the effect; durable when it resolves.
   *
   * @param also what is to be durable in the same transaction.
   * @returns the attempt that the order is in.
   * @throws RejectedError `unknown-order`, `not-yours`, `bad-transition`, `expired`; TransientError `no-server-time`.
   */
  report(
    app: OrderHandler,
    orderId: string,
    report: OrderReport,
    also: Pick<WriteBatch, 'config' | 'enqueue'> = {},
  ): Promise<number> {
    return this.#serially(async () => {
      const shared = await this.#startHeld(app, orderId, report);
      if (shared !== undefined) return shared;
      await this.#storeHeld();
      const entry = this.#ports.queue.order(orderId);
      if (entry === undefined) throw new RejectedError('unknown-order', `there is no order ${orderId}`);
      if (appFor(entry.type) !== app)
        throw new RejectedError('not-yours', `orders of type ${entry.type} are not ${app}'s`);
      if (report.status === 'started' && entry.status === 'received') await this.#refuseExpired(entry);
      const next = applyReport(entry, report, this.#ports.bootId);
      if (next === undefined) return entry.attempt;
      await this.#write(next, also);
      if (isTerminal(next.status)) await this.#endCancelOf(next);
      return next.attempt;
    });
  }

  /** Orders that waited past their time end as `expired`; cancels that a crash or an absent app left open go on. */
  settleWaiting(): Promise<void> {
    return this.#inTurn(async () => {
      const now = this.#ports.serverClock.nowMs();
      for (const entry of this.#ports.queue.unfinishedOrders()) {
        if (entry.type === 'cancel') await this.#cancel(entry);
        else if (entry.status === 'received' && isPast(entry, now)) await this.#expire(entry);
        else await this.#perform(entry);
      }
    });
  }

  /** Waiting orders of types that the app, now that it is here, does not handle. */
  refuseUnhandled(app: HubApp): Promise<void> {
    return this.#inTurn(async () => {
      for (const entry of this.#ports.queue.unfinishedOrders()) {
        if (entry.status !== 'received' || appFor(entry.type) !== app || this.#ports.supports(entry.type))
          continue;
        const error = { code: 'unsupported', message: `${app} does not handle orders of type ${entry.type}` };
        await this.#write({ ...entry, status: 'rejected', endedAt: this.#now(), error });
      }
    });
  }

  /** @param startsAtOnce its app is about to start it: both may share a commit. */
  async #take(order: IncomingOrder, startsAtOnce: boolean): Promise<void> {
    const { queue, serverClock } = this.#ports;
    const { received, serverEpoch } = queue.downlink();
    const verdict = dispatch(order, {
      received,
      known: queue.order(order.orderId),
      serverNowMs: serverClock.nowMs(),
      supported:
        order.type === 'cancel' || this.#ports.own.has(order.type) || this.#ports.supports(order.type),
    });
    if (verdict.kind === 'duplicate') return this.#ports.receipt();
    if (order.seq > received + 1) {
      await this.#ports.events.report('downlink-gap', 'warning', { from: received + 1, to: order.seq - 1 });
    }
    const at = this.#now();
    const downlink = { received: order.seq, ...(serverEpoch === undefined ? {} : { serverEpoch }) };
    if (verdict.kind === 'report-again') {
      await this.#commitOrPark(order, { downlink, enqueue: acks(ackOf(verdict.entry, at)) });
      return;
    }
    const fresh: JournalEntry = {
      orderId: order.orderId,
      seq: order.seq,
      type: order.type,
      payloadJson: JSON.stringify(order.payload),
      attempt: 0,
      receivedAt: at,
      ...(verdict.kind === 'accept'
        ? { status: 'received', ...(verdict.expiresAt === undefined ? {} : { expiresAt: verdict.expiresAt }) }
        : { status: verdict.status, endedAt: at, error: verdict.error }),
    };
    const batch: WriteBatch = { downlink, journal: [fresh], enqueue: acks(ackOf(fresh, at)) };
    if (fresh.status === 'received' && startsAtOnce) return this.#hold(order, fresh, batch);
    const stored = await this.#commitOrPark(order, batch);
    if (!stored || fresh.status !== 'received') return;
    if (fresh.type === 'cancel') await this.#cancel(fresh);
    else if (!(await this.#perform(fresh))) this.#ports.offer(fresh);
  }

  /** @returns false if the order is an app's to carry out. */
  async #perform(entry: JournalEntry): Promise<boolean> {
    const effect = this.#ports.own.get(entry.type);
    if (effect === undefined) return false;
    const { bootId } = this.#ports;
    await performOwn(entry, effect, { write: (next) => this.#write(next), bootId, now: () => this.#now() });
    return true;
  }

  /** Tells the app before the disk: its `started` is to come at once, and then one commit makes both durable. */
  #hold(order: IncomingOrder, entry: JournalEntry, batch: WriteBatch): void {
    const stored = Promise.withResolvers<void>();
    const timer = this.#ports.clock.after(HOLD_MS, () => void this.#inTurn(() => Promise.resolve()));
    this.#held = { order, entry, batch, timer, stored };
    this.#ports.offer(entry);
  }

  #release(): Held | undefined {
    const held = this.#held;
    this.#held = undefined;
    held?.timer.cancel();
    return held;
  }

  /** Whatever else is to be done, it finds on disk what came before it. */
  async #storeHeld(): Promise<void> {
    const held = this.#release();
    if (held === undefined) return;
    await this.#commitOrPark(held.order, held.batch).then(() => held.stored.resolve(), held.stored.reject);
  }

  /**
   * `received` and `started` in one commit, if the report is the `started` that the held order waits for.
   *
   * @returns the attempt; undefined if that is not so, or if the store refused: then each goes its own way.
   */
  async #startHeld(app: OrderHandler, orderId: string, report: OrderReport): Promise<number | undefined> {
    const { entry, batch, stored } = this.#held ?? {};
    if (entry === undefined || batch === undefined || entry.orderId !== orderId) return undefined;
    const isGood = report.status === 'started' && appFor(entry.type) === app && this.#mayStart(entry);
    const next = isGood ? applyReport(entry, report, this.#ports.bootId) : undefined;
    if (next === undefined) return undefined;
    const enqueue = [...(batch.enqueue ?? []), ...acks(ackOf(next, this.#now()))];
    try {
      await this.#commit({ ...batch, journal: [next], enqueue });
    } catch (error) {
      if (error instanceof RejectedError || error instanceof TransientError) return undefined;
      throw error;
    }
    this.#release();
    this.#ports.receipt();
    stored?.resolve();
    return next.attempt;
  }

  /** Whether nothing about the order's expiry is open. */
  #mayStart({ expiresAt }: JournalEntry): boolean {
    const now = this.#ports.serverClock.nowMs();
    return expiresAt === undefined || (now !== undefined && expiresAt > now);
  }

  async #commitOrPark(order: IncomingOrder, batch: WriteBatch): Promise<boolean> {
    try {
      await this.#commit(batch);
      this.#ports.receipt();
      return true;
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      if (PARKED_BY.includes(error.code)) {
        await this.#park(order);
        return false;
      }
      const [entry] = batch.journal ?? [];
      if (error.code !== 'journal-full' || entry === undefined) throw error;
      const refused: JournalEntry = {
        ...entry,
        status: 'rejected',
        error: { code: error.code, message: error.message },
      };
      const { journal: _, ...rest } = batch;
      await this.#commitOrPark(order, { ...rest, enqueue: acks(ackOf(refused, this.#now())) });
      return false;
    }
  }

  async #park(order: IncomingOrder): Promise<void> {
    const { orderId, seq } = order;
    const window = this.#ports.parkedOrders();
    if (this.#parked.length < window && order.seq < this.#droppedFrom) {
      this.#ports.log.warn({ orderId, seq }, 'no room for the acks of an order: it waits unreceipted');
      this.#parked.push(order);
    } else if (order.seq < this.#droppedFrom) {
      this.#droppedFrom = order.seq;
      // This one and all behind it come again on the next link.
      this.#ports.log.error({ orderId, seq, window }, 'the server sends orders beyond the window: not taken');
      await this.#ports.events.report('orders-beyond-window', 'error', { from: seq, window });
    }
  }

  /** Protocol, section 4: `expiresAt` is checked just before the start, on server time. */
  async #refuseExpired(entry: JournalEntry): Promise<void> {
    if (entry.expiresAt === undefined) return;
    const now = this.#ports.serverClock.nowMs();
    if (now === undefined) {
      throw new TransientError(
        'no-server-time',
        'the order has an expiry and the time is not known yet: try again later',
      );
    }
    if (entry.expiresAt > now) return;
    await this.#expire(entry);
    throw new RejectedError('expired', `order ${entry.orderId} expired before it was started`);
  }

  #expire(entry: JournalEntry): Promise<void> {
    const error = { code: 'expired', message: 'expired while it waited for its start' };
    return this.#write({ ...entry, status: 'expired', endedAt: this.#now(), error });
  }

  /** `cancel` acts on receipt, outside the queue (protocol, section 4). */
  async #cancel(cancel: JournalEntry): Promise<void> {
    const { orderId } = JSON.parse(cancel.payloadJson) as { orderId: string };
    if (orderId === cancel.orderId)
      return this.#endCancel(cancel, { code: 'too-late', message: 'a cancel cannot cancel itself' });
    const target = this.#ports.queue.order(orderId);
    if (target === undefined)
      return this.#endCancel(cancel, { code: 'unknown-order', message: `there is no order ${orderId}` });
    const tooLate = { code: 'too-late', message: `order ${orderId} is ${target.status}` };
    if (isTerminal(target.status))
      return this.#endCancel(cancel, target.status === 'cancelled' ? undefined : tooLate);
    this.#ask(cancel, target);
  }

  /** Not in turn: an app that does not answer must hold up no other order, nor the link. */
  #ask(cancel: JournalEntry, target: JournalEntry): void {
    if (this.#asking.has(cancel.orderId)) return;
    this.#asking.add(cancel.orderId);
    const { orderId } = target;
    this.#ports
      .cancel(target)
      .catch((error: unknown) => {
        this.#ports.log.warn({ orderId, error }, 'the app did not answer the cancel');
        return undefined;
      })
      .then((outcome) => this.#inTurn(() => this.#decideCancel(cancel.orderId, orderId, outcome)))
      .catch((error: unknown) => {
        // A full store: asked again when what waits is settled.
        this.#ports.log.warn({ orderId, error }, 'the cancel could not be recorded');
      })
      .finally(() => this.#asking.delete(cancel.orderId));
  }

  async #decideCancel(
    cancelId: string,
    orderId: string,
    outcome: Awaited<ReturnType<OrderDeskPorts['cancel']>>,
  ): Promise<void> {
    const [cancel, target] = [this.#ports.queue.order(cancelId), this.#ports.queue.order(orderId)];
    if (cancel === undefined || target === undefined || isTerminal(cancel.status)) return;
    const tooLate = { code: 'too-late', message: `order ${orderId} is ${target.status}` };
    if (isTerminal(target.status)) {
      return this.#endCancel(cancel, target.status === 'cancelled' ? undefined : tooLate);
    }
    if (outcome === 'stopping' || (outcome === undefined && target.status === 'started')) {
      const asked = this.#cancels.get(orderId) ?? new Set();
      this.#cancels.set(orderId, asked.add(cancel.orderId));
    } else if (target.status === 'received' && outcome !== 'too-late') {
      await this.#write({ ...target, status: 'cancelled', endedAt: this.#now() });
      await this.#endCancel(cancel);
    } else {
      await this.#endCancel(cancel, tooLate);
    }
  }

  async #endCancelOf(target: JournalEntry): Promise<void> {
    const asked = this.#cancels.get(target.orderId) ?? [];
    this.#cancels.delete(target.orderId);
    const error = { code: 'too-late', message: `order ${target.orderId} ended ${target.status}` };
    for (const cancelId of asked) {
      const cancel = this.#ports.queue.order(cancelId);
      if (cancel === undefined || isTerminal(cancel.status)) continue;
      await this.#endCancel(cancel, target.status === 'cancelled' ? undefined : error);
    }
  }

  async #endCancel(cancel: JournalEntry, error?: { code: string; message: string }): Promise<void> {
    const at = this.#now();
    const started: JournalEntry = {
      ...cancel,
      status: 'started',
      attempt: 1,
      startedBootId: this.#ports.bootId,
    };
    const ended: JournalEntry = {
      ...started,
      status: error === undefined ? 'succeeded' : 'failed',
      endedAt: at,
      ...(error === undefined ? {} : { error }),
    };
    await this.#commit({ journal: [ended], enqueue: acks(ackOf(started, at), ackOf(ended, at)) });
  }

  #write(entry: JournalEntry, also: Pick<WriteBatch, 'config' | 'enqueue'> = {}): Promise<void> {
    const enqueue = [...acks(ackOf(entry, this.#now())), ...(also.enqueue ?? [])];
    return this.#commit({ ...also, journal: [entry], enqueue });
  }

  async #commit(batch: WriteBatch): Promise<void> {
    await this.#ports.queue.commit(batch);
    this.#ports.stored();
  }

  #now(): number {
    return this.#ports.clock.wallMs();
  }

  /** One after the other, what is held first. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#serially(async () => {
      await this.#storeHeld();
      return work();
    });
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

const isPast = ({ expiresAt }: JournalEntry, nowMs: number | undefined): boolean =>
  expiresAt !== undefined && nowMs !== undefined && expiresAt <= nowMs;

const acks = (...messages: NewMessage[]): NonNullable<WriteBatch['enqueue']> => [
  { lane: 'results', messages },
];
