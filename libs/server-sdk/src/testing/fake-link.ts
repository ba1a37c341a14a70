import { createLogger } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { DeviceDirectory } from '../devices/device-directory.ts';
import { DeviceStatusBook } from '../devices/device-status.ts';
import { DEFAULT_LINK_LIMITS } from '../link/link-limits.ts';
import { LinkRegistry } from '../link/link-registry.ts';
import { LinkSession } from '../link/link-session.ts';
import type { LinkServices, LinkSocket } from '../link/services.ts';
import { NewsDesk } from '../news.ts';
import { OrderBook } from '../orders/order-book.ts';
import { ServerIdentity } from '../server-identity.ts';
import { GroupCommitStore } from '../store/group-commit-store.ts';
import { MemoryBackend } from '../store/memory-store.ts';
import { DeadLetters } from '../uplink/dead-letters.ts';
import { UplinkLog } from '../uplink/uplink-log.ts';

type Lane = 'results' | 'events' | 'telemetry' | 'history';
export type Sent = Record<string, unknown> & { type: string; id: string; payload: Record<string, unknown> };

const MIB = 1024 * 1024;
export const DEVICE = 'demo';
export const EPOCH = '00000000-0000-4000-8000-000000000001';
export const BOOT = '00000000-0000-4000-8000-00000000b007';

/** A server without sockets and without a disk, whose time stands still. */
export class FakeServer {
  readonly clock = new FakeClock();
  readonly backend = new MemoryBackend();
  readonly registry = new LinkRegistry<LinkSession>();
  readonly services: LinkServices;

  private constructor(services: LinkServices) {
    this.services = services;
  }

  static async start(limits: Partial<LinkServices['limits']> = {}): Promise<FakeServer> {
    const server = new FakeServer({} as LinkServices);
    const { clock } = server;
    const store = new GroupCommitStore(server.backend, { clock, commitDeadlineMs: 3_600_000 });
    const log = createLogger({ app: 'test', write: () => {} });
    const news = new NewsDesk();
    const devices = new DeviceDirectory(store);
    const status = new DeviceStatusBook(store, { devices, clock, news, log });
    const orderLimits = { ordersPerDevice: 100, bytesPerDevice: MIB, waitingPerDevice: 50 };
    const orders = new OrderBook(store, { clock, news, limits: orderLimits });
    const caps = { results: MIB, events: MIB, telemetry: MIB, history: MIB };
    Object.assign(server.services, {
      store,
      clock,
      log,
      news,
      devices,
      status,
      orders,
      identity: await ServerIdentity.load(store, clock),
      uplink: new UplinkLog(store, caps),
      deadLetters: new DeadLetters(store),
      limits: { ...DEFAULT_LINK_LIMITS, ...limits },
    });
    orders.isLinked = (deviceId) => server.registry.get(deviceId) !== undefined;
    orders.onQueued = (deviceId) => server.registry.get(deviceId)?.pump();
    await devices.put({
      deviceId: DEVICE,
      name: DEVICE,
      groups: [],
      publicKey: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) },
      thumbprint: 'thumbprint',
      enrolledAt: clock.wallMs(),
    });
    return server;
  }

  link(): FakeLink {
    return new FakeLink(this);
  }

  async open(hello: object = {}): Promise<FakeLink> {
    const link = this.link();
    link.hello(hello);
    await this.settle();
    return link;
  }

  /** Lets commits and everything behind them happen; no time passes. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(0);
  }

  alarms(): string[] {
    return this.services.status.get(DEVICE)?.alarms.map(({ kind }) => kind) ?? [];
  }

  /** Nothing reaches the disk until the result is called. */
  holdDisk(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.backend.beforeFlush = () => promise;
    return () => {
      this.backend.beforeFlush = () => Promise.resolve();
      resolve();
    };
  }
}

/** The device's end of a link to a {@link FakeServer}. */
export class FakeLink implements LinkSocket {
  readonly sent: Sent[] = [];
  readonly session: LinkSession;
  closed: { code: number; reason: string } | undefined;
  terminated = false;
  pings = 0;
  paused = false;

  constructor({ services, registry }: FakeServer) {
    this.session = new LinkSession(DEVICE, this, services, registry);
  }

  send(text: string): void {
    if (this.closed === undefined) this.sent.push(JSON.parse(text) as Sent);
  }
  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }
  terminate(): void {
    this.terminated = true;
  }
  ping(): void {
    this.pings += 1;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }

  frame(value: object | string): void {
    this.session.received(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), false);
  }

  live(type: string, payload: object): string {
    const id = uuidv7();
    this.frame({ type, id, sentAt: 1, payload });
    return id;
  }

  hello(payload: object = {}): void {
    this.live('hello', {
      deviceId: DEVICE,
      bootId: BOOT,
      epoch: EPOCH,
      agentVersion: '0.1.0',
      capabilities: [],
      ...lanes({}),
      received: 0,
      limits: { frameBytes: 262_144, inflightMessages: 16 },
      queue: { messages: 0, bytes: 0 },
      ...payload,
    });
  }

  event(seq: number, id = uuidv7(), kind = 'test'): string {
    this.frame({
      type: 'event',
      id,
      lane: 'events',
      seq,
      sentAt: 1,
      payload: { kind, severity: 'info', at: 1, data: { seq } },
    });
    return id;
  }

  gap(seq: number, payload: object): void {
    this.frame({ type: 'gap', id: uuidv7(), lane: 'events', seq, sentAt: 1, payload });
  }

  of(type: string): Record<string, unknown>[] {
    return this.sent.filter((frame) => frame.type === type).map(({ payload }) => payload);
  }

  /** Seqs of a lane in the receipts, in order. */
  receipts(lane: Lane): number[] {
    return this.of('receipt').flatMap((payload) => (payload['lanes'] as Record<string, number>)[lane] ?? []);
  }
}

/** Ranges of a hello's lanes: what is not named is empty. */
export const lanes = (ranges: Partial<Record<Lane, [number, number]>>) => ({
  lanes: Object.fromEntries(
    (['results', 'events', 'telemetry', 'history'] as const).map((lane) => {
      const [first, next] = ranges[lane] ?? [1, 1];
      return [lane, { first, next }];
    }),
  ),
});
