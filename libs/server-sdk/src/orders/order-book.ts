import type { Ack, Order, OrderType } from '@bowline/messages';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Clock } from '@bowline/runtime/clock';
import { v7 as uuidv7 } from 'uuid';
import type { NewsDesk } from '../news.ts';
import { keys } from '../store/keys.ts';
import { parse, put, read, remove, within, type ServerStore, type Write } from '../store/server-store.ts';
import type { DownlinkState } from './downlink.ts';
import { applyAck, hasEnded, step, type OrderRecord } from './order.ts';

export interface OrderLimits {
  /** Orders kept of a device; the oldest that ended go first. */
  ordersPerDevice: number;
  /** And bytes of them. */
  bytesPerDevice: number;
  /** Orders that may wait for the device's receipt. */
  waitingPerDevice: number;
}

/** No order may expire later than this, and none older is sent again (protocol, section 4). */
export const ORDER_LIFE_MS = 7 * 24 * 3600 * 1000;
const EVICT_LOOK = 64;
const MAX_BLAMES = 3;

const WITHDRAWN = {
  code: 'withdrawn',
  message: 'the order was called off before the device had it, and never begins',
};
const isWithdrawn = (error: Order['error']): boolean => error?.code === WITHDRAWN.code;

export interface NewOrder {
  /** Chosen by whoever signs it; default a new one. */
  orderId?: string;
  type: OrderType;
  payload: Record<string, unknown>;
  expiresInMs?: number;
}

/** All orders of all devices, and the queue that leads to each device. */
export class OrderBook {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #news: NewsDesk;
  readonly #limits: OrderLimits;
  /** Orders that are not on disk yet: none is sent before. */
  readonly #unwritten = new Set<string>();
  /** Bytes of all orders of a device, summed up when they are first asked for. */
  readonly #bytes = new Map<string, number>();
  readonly #blamed = new Map<string, { orderId: string; times: number }>();
  readonly #progress = new Map<string, Order['progress']>();
  /** Told when a device has something new to be sent. */
  onQueued: (deviceId: string) => void = () => {};
  /** Whether a device has a link, on which a new order goes out as soon as it is on disk. */
  isLinked: (deviceId: string) => boolean = () => false;

  constructor(store: ServerStore, ports: { clock: Clock; news: NewsDesk; limits: OrderLimits }) {
    this.#store = store;
    this.#clock = ports.clock;
    this.#news = ports.news;
    this.#limits = ports.limits;
  }

  /**
   * @returns once the order is on disk.
   * @throws RejectedError `expires-too-late`, `order-exists`; TransientError `too-many-orders`.
   */
  async create(deviceId: string, serverEpoch: string, order: NewOrder): Promise<Order> {
    const now = this.#clock.wallMs();
    const { expiresInMs } = order;
    if (expiresInMs !== undefined && expiresInMs > ORDER_LIFE_MS) {
      throw new RejectedError('expires-too-late', 'an order must expire within 7 days');
    }
    if (order.orderId !== undefined && read(this.#store, keys.orderOwner(order.orderId)) !== undefined) {
      throw new RejectedError(
        'order-exists',
        'an order of this id was given already: see it, or take a new id',
      );
    }
    const state = this.downlink(deviceId, serverEpoch);
    if (state.next - 1 - state.receipted >= this.#limits.waitingPerDevice) {
      throw new TransientError('too-many-orders', 'too many orders wait for this device already');
    }
    const expiresAt = expiresInMs === undefined ? undefined : now + expiresInMs;
    const record: OrderRecord = {
      orderId: order.orderId ?? uuidv7(),
      deviceId,
      seq: state.next,
      type: order.type,
      payload: expiresAt === undefined ? order.payload : { ...order.payload, expiresAt },
      createdAt: now,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      status: 'queued',
      attempt: 0,
      history: [{ status: 'queued', at: now, receivedAt: now, attempt: 0 }],
    };
    if (state.orders === 0) this.#bytes.delete(deviceId);
    const evicted = this.#makeRoom(deviceId, state.orders + 1, put('', record).value.length);
    this.#unwritten.add(record.orderId);
    this.#put(record);
    await this.#store.write([
      ...evicted.flatMap((orderId) => [
        remove(keys.order(deviceId, orderId)),
        remove(keys.orderOwner(orderId)),
      ]),
      put(keys.orderOwner(record.orderId), { deviceId }),
      put(keys.queue(deviceId, record.seq), { orderId: record.orderId }),
      put(keys.downlink(deviceId), {
        ...state,
        next: state.next + 1,
        offered: this.isLinked(deviceId) ? state.next : state.offered,
        orders: state.orders + 1 - evicted.length,
      }),
    ]);
    this.#unwritten.delete(record.orderId);
    this.onQueued(deviceId);
    return this.view(record);
  }

  /**
   * Asks the device to call an order off: an order of its own (`cancel`). A device that has not got the order yet gets it as one
   * that has expired: it comes before its cancel, and would begin at once. Operators see at once that it is withdrawn.
   *
   * @returns the order that does it.
   * @throws RejectedError `order-ended`.
   */
  cancel({ deviceId, orderId, status }: Order, serverEpoch: string): Promise<Order> {
    if (hasEnded({ status }))
      throw new RejectedError('order-ended', `the order has ended already: ${status}`);
    const record = this.#record(deviceId, orderId);
    if (record !== undefined && (status === 'queued' || status === 'sent')) {
      const expiresAt = record.createdAt;
      this.#put({ ...record, expiresAt, payload: { ...record.payload, expiresAt }, error: WITHDRAWN });
    }
    return this.create(deviceId, serverEpoch, { type: 'cancel', payload: { orderId } });
  }

  get(orderId: string): Order | undefined {
    const owner = read<{ deviceId: string }>(this.#store, keys.orderOwner(orderId));
    const record = owner && this.#record(owner.deviceId, orderId);
    return record && this.view(record);
  }

  /** Newest first. */
  list(deviceId: string, limit: number): Order[] {
    return this.#store
      .range({ ...within(keys.ordersOf(deviceId)), reverse: true, limit })
      .map(({ value }) => this.view(parse<OrderRecord>(value)));
  }

  downlink(deviceId: string, serverEpoch: string): DownlinkState {
    const held = read<Omit<DownlinkState, 'offered'> & { offered?: number }>(
      this.#store,
      keys.downlink(deviceId),
    );
    const { next = 1 } = held ?? {};
    // A store of before this was kept: it counted all as sent.
    return { serverEpoch, next, offered: next - 1, receipted: 0, orders: 0, ...held };
  }

  /** A link of the device is about to be open: all that waits may go out. The caller waits until that is on disk. */
  offerAll(deviceId: string, serverEpoch: string): void {
    const state = this.downlink(deviceId, serverEpoch);
    const offered = state.next - 1;
    if (offered > state.offered)
      void this.#store.write([put(keys.downlink(deviceId), { ...state, offered })]);
  }

  /** The next orders to be sent, all of them on disk, at most `limit`. */
  waiting(deviceId: string, afterSeq: number, limit: number): OrderRecord[] {
    const from = `${keys.queue(deviceId, afterSeq)}\0`;
    return this.#store
      .range({ ...within(keys.queueOf(deviceId)), from, limit })
      .flatMap(({ value }) => this.#record(deviceId, parse<{ orderId: string }>(value).orderId) ?? [])
      .filter(({ orderId }) => !this.#unwritten.has(orderId));
  }

  /** An order was handed to a link. */
  sent(order: OrderRecord): void {
    if (order.status === 'queued') this.#put(step(order, 'sent', this.#clock.wallMs()));
  }

  /** The device holds everything up to `seq`. */
  receipted(deviceId: string, serverEpoch: string, seq: number): void {
    const state = this.downlink(deviceId, serverEpoch);
    if (seq <= state.receipted) return;
    void this.#store.write([
      put(keys.downlink(deviceId), { ...state, receipted: seq }),
      ...this.#queued(deviceId)
        .filter((queued) => queued.seq <= seq)
        .map(({ key }) => remove(key)),
    ]);
  }

  /** @returns false if no such order is known (any more). */
  ack(deviceId: string, ack: Ack): boolean {
    const order = this.#record(deviceId, ack.orderId);
    if (order === undefined) return false;
    const { percent, note, data } = ack;
    if (ack.status === 'progress') {
      if (hasEnded(order)) return true;
      const progress = {
        ...(percent === undefined ? {} : { percent }),
        ...(note === undefined ? {} : { note }),
        ...(data === undefined ? {} : { data }),
      };
      this.#progress.set(ack.orderId, progress);
      this.#publish(order);
      return true;
    }
    const changed = applyAck(order, this.#explained(order, ack), this.#clock.wallMs());
    if (changed !== order) this.#put(changed);
    return true;
  }

  /**
   * The device closed a link over its framing while this was the first order without a receipt. The third time in a row
   * the order is given up (protocol, section 6).
   */
  blame(deviceId: string, seq: number): void {
    const [order] = this.waiting(deviceId, seq - 1, 1);
    if (order?.seq !== seq) return;
    const before = this.#blamed.get(deviceId);
    const times = before?.orderId === order.orderId ? before.times + 1 : 1;
    if (times < MAX_BLAMES) this.#blamed.set(deviceId, { orderId: order.orderId, times });
    else {
      this.#blamed.delete(deviceId);
      const message = `the device closed the link ${times} times over this order`;
      this.giveUp(order, { code: 'undeliverable', message });
    }
  }

  /** Ends an order that the device will never get. */
  giveUp(order: OrderRecord, error: { code: string; message: string }): void {
    this.#put(step(order, 'rejected', this.#clock.wallMs(), error));
    void this.#store.write([remove(keys.queue(order.deviceId, order.seq))]);
  }

  /**
   * Numbers the unfinished orders anew, from 1, under an epoch that may be this device's alone. With `journalLost` (a new
   * epoch of the device) an order that had started is not sent again, unless its command is `idempotent`: nobody knows how it
   * ended.
   */
  renumber(
    deviceId: string,
    serverEpoch: string,
    how: { epoch: string; journalLost: boolean; idempotent: ReadonlySet<string> },
  ): void {
    const now = this.#clock.wallMs();
    const writes: Write[] = this.#queued(deviceId).map(({ key }) => remove(key));
    let next = 1;
    for (const order of this.#unfinished(deviceId)) {
      const name = order.type === 'command' ? order.payload['name'] : undefined;
      const maySend =
        !how.journalLost ||
        order.status !== 'started' ||
        (typeof name === 'string' && how.idempotent.has(name));
      if (!maySend) {
        const error = { code: 'epoch-changed', message: 'the device lost its journal while this ran' };
        this.#put(step(order, 'indeterminate', now, error));
      } else if (now - order.createdAt > ORDER_LIFE_MS) {
        const error = { code: 'too-old', message: 'older than 7 days: not sent again' };
        this.#put(step(order, 'expired', now, error));
      } else {
        this.#put({ ...order, seq: next });
        writes.push(put(keys.queue(deviceId, next), { orderId: order.orderId }));
        next += 1;
      }
    }
    const { orders } = this.downlink(deviceId, serverEpoch);
    const ownEpoch = how.epoch === serverEpoch ? {} : { ownEpoch: how.epoch };
    const state: DownlinkState = { serverEpoch, ...ownEpoch, next, offered: 0, receipted: 0, orders };
    writes.push(put(keys.downlink(deviceId), state));
    void this.#store.write(writes);
  }

  /** As operators see it, each who may look: without the token by which a device comes to a session's tunnel. */
  view(stored: OrderRecord): Order {
    const { endedHere: _, ...record } = stored;
    const progress = this.#progress.get(record.orderId);
    const { token: _token, ...payload } = record.payload;
    const shown = record.type === 'sshAccess' ? { ...record, payload } : record;
    return progress === undefined ? shown : { ...shown, progress };
  }

  /** A device does not know of an order that came as expired, or of its cancel that came too late, that the order was withdrawn. */
  #explained({ deviceId, type, payload, error }: OrderRecord, ack: Ack): Ack {
    const isTooLate = type === 'cancel' && ack.error?.code === 'too-late';
    const target = isTooLate ? this.#record(deviceId, String(payload['orderId'])) : undefined;
    if (target?.status === 'expired' && isWithdrawn(target.error)) return { ...ack, error: WITHDRAWN };
    return ack.status === 'expired' && isWithdrawn(error) ? { ...ack, error: WITHDRAWN } : ack;
  }

  #record(deviceId: string, orderId: string): OrderRecord | undefined {
    return read<OrderRecord>(this.#store, keys.order(deviceId, orderId));
  }

  #queued(deviceId: string): { key: string; seq: number }[] {
    return this.#store
      .range(within(keys.queueOf(deviceId)))
      .map(({ key }) => ({ key, seq: Number(key.slice(key.lastIndexOf('/') + 1)) }));
  }

  #unfinished(deviceId: string): OrderRecord[] {
    return this.#store
      .range(within(keys.ordersOf(deviceId)))
      .map(({ value }) => parse<OrderRecord>(value))
      .filter((order) => !hasEnded(order));
  }

  #put(record: OrderRecord): void {
    if (hasEnded(record)) this.#progress.delete(record.orderId);
    this.#publish(record);
    const write = put(keys.order(record.deviceId, record.orderId), record);
    const before = this.#store.get(write.key)?.length ?? 0;
    this.#bytes.set(record.deviceId, this.#bytesOf(record.deviceId) + write.value.length - before);
    void this.#store.write([write]);
  }

  #bytesOf(deviceId: string): number {
    const known = this.#bytes.get(deviceId);
    if (known !== undefined) return known;
    return this.#store
      .range(within(keys.ordersOf(deviceId)))
      .reduce((sum, { value }) => sum + value.length, 0);
  }

  #publish(record: OrderRecord): void {
    this.#news.publish('order', record.deviceId, () => this.view(record));
  }

  /**
   * @returns ids of those that have to go so that there may be `count`, one of them new and of so many bytes.
   * @throws TransientError `too-many-orders`: what has not ended takes all the room.
   */
  #makeRoom(deviceId: string, count: number, bytes: number): string[] {
    const excess = count - this.#limits.ordersPerDevice;
    const excessBytes = this.#bytesOf(deviceId) + bytes - this.#limits.bytesPerDevice;
    if (excess <= 0 && excessBytes <= 0) return [];
    const evicted: string[] = [];
    let freed = 0;
    for (const { value } of this.#store.range({ ...within(keys.ordersOf(deviceId)), limit: EVICT_LOOK })) {
      if (evicted.length >= excess && freed >= excessBytes) break;
      const order = parse<OrderRecord>(value);
      if (!hasEnded(order)) continue;
      evicted.push(order.orderId);
      freed += value.length;
    }
    if (freed < excessBytes) {
      const sentence =
        'the orders of this device that have not ended take all the room that there is for them';
      throw new TransientError('too-many-orders', sentence);
    }
    this.#bytes.set(deviceId, this.#bytesOf(deviceId) - freed);
    return evicted;
  }
}
