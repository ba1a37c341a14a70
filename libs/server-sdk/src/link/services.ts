import type { Logger } from '@bowline/runtime';
import type { Clock } from '@bowline/runtime/clock';
import type { DeviceDirectory } from '../devices/device-directory.ts';
import type { DeviceStatusBook } from '../devices/device-status.ts';
import type { NewsDesk } from '../news.ts';
import type { OrderBook } from '../orders/order-book.ts';
import type { ServerIdentity } from '../server-identity.ts';
import type { ServerStore } from '../store/server-store.ts';
import type { ServerTrust } from '../trust/server-trust.ts';
import type { DeadLetters } from '../uplink/dead-letters.ts';
import type { UplinkLog } from '../uplink/uplink-log.ts';
import type { LinkLimits } from './link-limits.ts';

/** What every link of a server shares. */
export interface LinkServices {
  store: ServerStore;
  identity: ServerIdentity;
  devices: DeviceDirectory;
  status: DeviceStatusBook;
  orders: OrderBook;
  uplink: UplinkLog;
  deadLetters: DeadLetters;
  news: NewsDesk;
  clock: Clock;
  log: Logger;
  limits: LinkLimits;
  /** The fleet's trust bundles; absent: devices get none over the link. */
  trust?: ServerTrust;
}

/** The one side of a WebSocket that a session sees, so that it can be tested without one. */
export interface LinkSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Ends a connection whose other side may be dead. */
  terminate(): void;
  ping(): void;
  /** Stop and go on reading: back-pressure. */
  pause(): void;
  resume(): void;
}
