import { isTerminal, type Lane } from '@bowline/messages';
import type { Violation } from './properties.ts';
import type { Entry, RealCode } from './real-code.ts';
import type { RuleName } from './rules.ts';
import { acksOf, sendFrom } from './sending.ts';
import {
  forEachLane,
  LANES,
  type Body,
  type Desk,
  type DeviceDisk,
  type DeviceEnd,
  type DownFrame,
  type Held,
  type HelloFrame,
  type History,
  type Link,
  type OrderFrame,
  type UpFrame,
  type World,
} from './world.ts';

export const emptyDisk = (epoch: string): DeviceDisk => ({
  epoch,
  lanes: forEachLane(() => ({ first: 1, next: 1, held: [] })),
  offered: forEachLane(() => 0),
  received: 0,
  journal: {},
  dead: [],
});

/** The message a name stands for, whatever it was renamed to. */
export const originOf = (id: string): string => id.split('~')[0] ?? id;

/**
 * The device while a step changes it: its disk, its end of the current link, and what really happened. The durable queue
 * is the little that its contract (durable-queue, queue.ts) says; decisions are the gateway's own functions.
 */
export class Device {
  readonly #code: RealCode;
  readonly #without: RuleName | undefined;
  disk: DeviceDisk;
  desk: Desk;
  history: History;
  link: Link | undefined;
  violation: Violation | undefined;
  /** Receipted and not in the journal: only where a rule is left out. */
  unwritten: Entry | undefined;

  constructor(world: World, code: RealCode, without: RuleName | undefined) {
    this.#code = code;
    this.#without = without;
    this.disk = world.device;
    this.desk = world.desk;
    this.history = world.history;
    this.link = world.links.find(({ device }) => device !== undefined);
  }

  get online(): boolean {
    return this.link?.device?.online === true;
  }

  /** Adds a message to its lane; it goes out at once if it can. @returns its name. */
  enqueue(lane: Lane, wanted: string, body: Body): string {
    const { created } = this.history;
    let id = wanted;
    for (let more = 2; created.includes(id); more += 1) id = `${wanted}, ${more}`;
    const state = this.disk.lanes[lane];
    const held = [...state.held, { seq: state.next, id, body }];
    this.#setLane(lane, { ...state, next: state.next + 1, held });
    if (this.online) this.disk = { ...this.disk, offered: { ...this.disk.offered, [lane]: state.next } };
    this.history = { ...this.history, created: [...created, id].toSorted() };
    return id;
  }

  /** A change of an order's state; its ack is in the same commit. */
  write(entry: Entry): void {
    this.journal(entry);
    this.ack(entry);
  }

  /** The state alone. */
  journal(entry: Entry): void {
    this.disk = { ...this.disk, journal: sorted({ ...this.disk.journal, [entry.orderId]: entry }) };
  }

  ack({ orderId, status, attempt }: Entry): void {
    const body = { type: 'ack' as const, orderId, status, attempt };
    this.enqueue('results', `${orderId} ${status}${attempt > 0 ? ` ${attempt}` : ''}`, body);
  }

  /** The oldest of a full lane goes. */
  drop(lane: Lane): string {
    const state = this.disk.lanes[lane];
    const [oldest, ...held] = state.held;
    if (oldest === undefined) throw new RangeError(`lane ${lane} is empty`);
    this.#setLane(lane, { ...state, first: held[0]?.seq ?? state.next, held });
    this.history = { ...this.history, dropped: [...this.history.dropped, oldest.id].toSorted() };
    if (this.#without !== 'gap-for-what-is-dropped') {
      const { seq } = oldest;
      this.enqueue('events', `gap ${oldest.id}`, { type: 'gap', lane, from: seq, to: seq, count: 1 });
    }
    return oldest.id;
  }

  hello(): HelloFrame {
    const { epoch, lanes, received, serverEpoch } = this.disk;
    return {
      kind: 'hello',
      epoch,
      lanes: forEachLane((lane) => ({ first: lanes[lane].first, next: lanes[lane].next })),
      received,
      ...(serverEpoch === undefined ? {} : { serverEpoch }),
    };
  }

  /** @returns what it made of the welcome. */
  welcome(frame: DownFrame & { kind: 'welcome' }): 'restored' | 'online' {
    const end = this.#end();
    const { received, serverEpoch } = frame;
    const everything = forEachLane(() => Infinity);
    const { offered } = this.disk;
    const known = this.#without === 'never-delete-unsent' ? everything : offered;
    const verdict = this.#code.resume(end.hello, frame, known);
    const restored = verdict.kind === 'restored' && this.#without !== 'new-epoch-on-restore';
    if (restored) {
      this.#renewEpoch();
      this.#setLink({ device: undefined });
      return 'restored';
    }
    const sentUpTo = forEachLane((lane) => Math.max(received[lane] ?? 0, end.hello.lanes[lane].first - 1));
    const receipts =
      verdict.kind === 'resume' && this.#without !== 'new-epoch-on-restore' ? verdict.receipts : {};
    for (const lane of LANES) this.#delete(lane, receipts[lane] ?? 0);
    if (this.#without === 'new-epoch-on-restore') {
      // It goes on in its old epoch, and deletes only what it had sent.
      for (const lane of LANES) this.#delete(lane, Math.min(received[lane] ?? 0, this.disk.offered[lane]));
    }
    if (serverEpoch !== this.disk.serverEpoch) {
      const kept = this.#without === 'received-reset-on-new-server-epoch' ? this.disk.received : 0;
      this.disk = { ...this.disk, serverEpoch, received: kept };
    }
    this.disk = { ...this.disk, offered: forEachLane((lane) => this.disk.lanes[lane].next - 1) };
    const skipsUnsent = this.#without === 'resume-where-the-server-is';
    this.#setLink({
      device: {
        ...end,
        online: true,
        window: frame.window,
        sentUpTo: skipsUnsent
          ? forEachLane((lane) => Math.max(sentUpTo[lane], offered[lane]))
          : verdict.kind === 'resume'
            ? verdict.sentUpTo
            : sentUpTo,
      },
    });
    return 'online';
  }

  receipt(lanes: Partial<Record<Lane, number>>): void {
    const end = this.#end();
    const acks = acksOf(end, this.#code);
    for (const lane of LANES) {
      const seq = lanes[lane];
      if (seq !== undefined && acks.receipted(lane, seq, 0) === 'progress') {
        this.#mustHaveKept(lane, seq);
        this.#delete(lane, seq);
      }
    }
    const frames = this.#without === 'receipts-free-the-window' ? end.frames : [...acks.unreceipted()];
    this.#setLink({ device: { ...end, frames } });
  }

  /** @param tellsFirst an app that has nothing in hand is told of an order before it is stored. */
  order(frame: OrderFrame, tellsFirst: boolean): string {
    this.storeHeld();
    const { orderId, seq, name, target, afterStart } = frame;
    const { journal, received } = this.disk;
    const known = this.#without === 'device-dedupes-by-id' ? undefined : journal[orderId];
    const [type, payload] =
      target === undefined ? ['command', { name, params: {} }] : ['cancel', { orderId: target }];
    const order = { orderId, seq, type, payload };
    const verdict = this.#code.dispatch(order, { received, known, serverNowMs: 1, supported: true });
    const entry: Entry = {
      orderId,
      seq,
      type,
      payloadJson: target ?? name,
      status: 'received',
      attempt: 0,
      receivedAt: 1,
      ...(afterStart ? { afterStart } : {}),
    };
    if (verdict.kind === 'accept' && type === 'command' && tellsFirst && this.#isIdle()) {
      this.desk = { ...this.desk, held: { entry } };
      return `${verdict.kind}, and its app is told before it is stored`;
    }
    if (verdict.kind !== 'duplicate') this.disk = { ...this.disk, received: seq };
    if (verdict.kind === 'report-again') this.ack(verdict.entry);
    if (verdict.kind === 'accept') {
      if (this.#without === 'journal-before-receipt') this.unwritten = entry;
      else this.write(entry);
      if (this.#without === 'open-cancels-go-on')
        this.desk = { ...this.desk, fresh: [...(this.desk.fresh ?? []), orderId] };
    }
    this.receiptOrders(verdict.kind === 'duplicate' ? received : seq);
    return verdict.kind;
  }

  /** What its app was told of becomes durable, in one commit with how it started, if that is known. */
  storeHeld(started = this.desk.held?.started): void {
    const { held, ...rest } = this.desk;
    if (held === undefined) return;
    const { entry } = held;
    this.desk = rest;
    this.disk = { ...this.disk, received: entry.seq };
    this.write(entry);
    if (started !== undefined) this.write(started);
    this.receiptOrders(entry.seq);
  }

  /** An order has ended: who asked for that is told how. */
  stopped(orderId: string): void {
    const { [orderId]: _, ...stopping } = this.desk.stopping;
    this.desk = { ...this.desk, stopping };
  }

  #isIdle(): boolean {
    const commands = Object.values(this.disk.journal).filter(({ type }) => type === 'command');
    return commands.every(({ status }) => isTerminal(status));
  }

  /** One receipt says it all: what waits to be sent is replaced. */
  receiptOrders(orders: number): void {
    if (this.link === undefined || !this.online) return;
    const up = this.link.up.at(-1)?.kind === 'receipt' ? this.link.up.slice(0, -1) : this.link.up;
    this.#push([...up, { kind: 'receipt', orders }]);
  }

  /** Sends what the window takes of what was not sent yet, the highest lane first. */
  pump(): void {
    if (!this.online || this.link === undefined) return;
    const end = this.#end();
    const sent = sendFrom(this.disk.lanes, end, this.#code, this.#without);
    if (sent === undefined) return;
    this.violation ??= sent.violation;
    this.#setLink({ device: sent.end });
    this.#push([...this.link.up, ...sent.up]);
    if (this.#without === 'delete-only-on-receipt')
      for (const lane of LANES) this.#delete(lane, sent.end.sentUpTo[lane]);
  }

  #push(up: readonly UpFrame[]): void {
    // Into a link whose other end is gone: nobody reads it.
    if (this.link?.server !== undefined) this.#setLink({ up });
  }

  /** Epoch anew, numbered anew, with the same ids (protocol, section 3). */
  #renewEpoch(): void {
    const deviceEpochs = this.history.deviceEpochs + 1;
    const epoch = `D${deviceEpochs}`;
    const rename = this.#without === 'renumber-same-ids' ? `~${epoch}` : '';
    this.history = { ...this.history, deviceEpochs };
    const lanes = forEachLane((lane) => {
      const held = this.disk.lanes[lane].held.map(({ id, body }, index) => ({
        seq: index + 1,
        id: `${id}${rename}`,
        body: body.type === 'gap' ? { type: body.type, lane: body.lane, count: body.count } : body,
      }));
      return { first: 1, next: held.length + 1, held };
    });
    this.disk = { ...this.disk, epoch, lanes, offered: forEachLane(() => 0), received: 0 };
  }

  /** A final reject: the message moves to the dead letters. */
  reject(refused: string): void {
    for (const lane of LANES) {
      const state = this.disk.lanes[lane];
      const held = state.held.filter(({ id }) => id !== refused);
      if (held.length === state.held.length) continue;
      this.#setLane(lane, { ...state, first: held[0]?.seq ?? state.next, held });
      this.disk = { ...this.disk, dead: [...this.disk.dead, refused].toSorted() };
    }
  }

  /** On a link the reject goes before the receipt that passes it. */
  #mustHaveKept(lane: Lane, upTo: number): void {
    const { refused } = this.history;
    const gone = this.disk.lanes[lane].held.find(({ seq, id }) => seq <= upTo && refused.includes(id));
    if (gone === undefined) return;
    const detail = `the device deletes ${gone.id}, which the server refused, and keeps no dead letter`;
    this.violation = { property: 'refused-is-kept', detail };
  }

  #delete(lane: Lane, upTo: number): void {
    const state = this.disk.lanes[lane];
    const gone = state.held.filter(({ seq }) => seq <= upTo);
    if (gone.length === 0) return;
    const { ever, refused } = this.history;
    const lacking = gone.find(({ id }) => !ever.includes(originOf(id)) && !refused.includes(id));
    if (lacking !== undefined) {
      this.violation = {
        property: 'nothing-lost',
        detail: `the device deleted ${lacking.id}, which the server never had`,
      };
    }
    const held = state.held.slice(gone.length);
    this.#setLane(lane, { ...state, first: held[0]?.seq ?? state.next, held });
  }

  #end(): DeviceEnd {
    const end = this.link?.device;
    if (end === undefined) throw new RangeError('the device has no link');
    return end;
  }

  #setLane(lane: Lane, state: { first: number; next: number; held: readonly Held[] }): void {
    this.disk = { ...this.disk, lanes: { ...this.disk.lanes, [lane]: state } };
  }

  #setLink(change: Partial<Link>): void {
    if (this.link !== undefined) this.link = { ...this.link, ...change };
  }
}

/** Members by name, so that equal records read alike. */
export const sorted = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
