import { MapStore, type Disk } from './map-store.ts';
import { uuidOf } from './names.ts';
import type { RealCode } from './real-code.ts';

const MIB = 2 ** 20;
const LOG_LIMITS = { results: MIB, events: MIB, telemetry: MIB, history: MIB };
const CLOCK = {
  wallMs: () => 1,
  monotonicMs: () => 1,
  sinceBootMs: () => 1,
  after: () => ({ cancel: () => undefined }),
};
const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What the server's code shares among its links, over a disk in memory and with a clock that stands still. */
export function servicesOn(disk: Disk, code: RealCode, nextEpoch: string, window: number | undefined) {
  const store = new MapStore(disk);
  const alarms: string[] = [];
  const identity = { serverEpoch: disk.get('meta/server') ?? '', newEpoch: () => uuidOf(nextEpoch) };
  const status = {
    alarm: (_device: string, kind: string) => void alarms.push(kind),
    wentOnline: () => undefined,
    wentOffline: () => undefined,
  };
  const news = { publish: () => undefined };
  const limits = { ordersPerDevice: 100, bytesPerDevice: 2 ** 20, waitingPerDevice: 50 };
  const orders = new code.OrderBook(store, { clock: CLOCK, news, limits });
  const services = {
    store,
    identity,
    status,
    orders,
    news,
    uplink: new code.UplinkLog(store, LOG_LIMITS),
    deadLetters: new code.DeadLetters(store),
    clock: CLOCK,
    log: QUIET,
    limits: window === undefined ? code.limits : { ...code.limits, inflightMessages: window },
  };
  return { services, store, orders, alarms, epoch: identity.serverEpoch };
}
