import { OrderGate } from '@bowline/identity';
import { watchPolicy, type HeldPolicy } from '@bowline/identity/policy';
import {
  connectHub,
  reportOrder,
  serveConfig,
  type HubClient,
  type HubClientOptions,
  type ServedConfig,
} from '@bowline/ipc';
import type { HubRequests } from '@bowline/messages/hub';
import type { LinkStateName } from '@bowline/messages/hub/apps';
import { ServerClock, type Clock, type Logger } from '@bowline/runtime';
import { followWayOut, type WayOut, type WayOutKeys } from './way-out.ts';

export interface HubMemberOptions extends Pick<
  HubClientOptions,
  'app' | 'version' | 'orderTypes' | 'idempotent'
> {
  config: {
    /** The app's own: its copy of the trust bundle, the signatures that were used. */
    stateDir: string;
    hubFolder: string;
    hubOwner?: string | undefined;
    policyFile: string;
    trustAnchorFile: string;
  };
  /** What the cloud may change of it, while the app runs. */
  live: ServedConfig;
  /** Ends the app in good order, for keys that need it. */
  restart(reason: string): void;
  log: Logger;
  clock: Clock;
  /** The app ends: what waits for the gateway is given up. */
  signal: AbortSignal;
}

type Report = HubRequests['reportOrder']['request'];

/** What an app with effects stands on: the gateway's hub, and what it may be asked, judged by files of its own. */
export interface HubMember {
  readonly client: HubClient;
  readonly gate: OrderGate;
  readonly serverClock: ServerClock;
  /** The policy in force now. */
  readPolicy(): Promise<HeldPolicy>;
  /** State of the link to the cloud as the gateway told it last; undefined while the gateway is away. */
  readonly link: LinkStateName | undefined;
  /** As the gateway told it; undefined before it was heard, or while the device is not enrolled. */
  readonly deviceId: string | undefined;
  /** After each message that tells of the link or of the server's time; more than one may listen. */
  onHeard(listener: () => void): void;
  /** Takes the server's time out of a message of the hub. */
  heard(message: { serverTime?: number }): void;
  /** {@link reportOrder}, until the app ends. */
  report(report: Omit<Report, 'at'>): Promise<void>;
  /**
   * How this app reaches the net. To be asked for once.
   *
   * @throws ConfigError of {@link followWayOut}.
   */
  wayOut(keys: WayOutKeys, prefix: string): WayOut;
  /** After everything that still reports. */
  close(): void;
}

/** @throws ConfigError of {@link connectHub}. */
export async function joinHub(options: HubMemberOptions): Promise<HubMember> {
  const { app, version, orderTypes, idempotent, log, clock, signal } = options;
  const { stateDir, hubFolder, hubOwner, policyFile, trustAnchorFile } = options.config;
  const client = connectHub({
    folder: hubFolder,
    owner: hubOwner,
    app,
    version,
    orderTypes,
    ...(idempotent === undefined ? {} : { idempotent }),
    log,
    clock,
  });
  serveConfig(client, options.live, (reason) => options.restart(reason));
  const serverClock = new ServerClock(clock);
  const gate = new OrderGate({ stateDir, trustAnchorFile, serverClock, hub: client, clock, log });
  const readPolicy = await watchPolicy(policyFile, { hub: client, clock, log });
  const listeners: (() => void)[] = [];
  let link: LinkStateName | undefined;
  let deviceId: string | undefined;
  const heard = ({ serverTime }: { serverTime?: number }) => {
    if (serverTime !== undefined) serverClock.told(serverTime);
    for (const listener of listeners) listener();
  };
  client.onRegistered((hub) => {
    link = hub.link;
    deviceId = hub.deviceId ?? deviceId;
    heard(hub);
  });
  client.onNotification('link', (news) => {
    link = news.state;
    heard(news);
  });
  return {
    client,
    gate,
    serverClock,
    readPolicy,
    get link() {
      return client.connected ? link : undefined;
    },
    get deviceId() {
      return deviceId;
    },
    onHeard: (listener) => void listeners.push(listener),
    heard,
    report: (report) => reportOrder(client, clock, { ...report, at: Math.round(clock.wallMs()) }, signal),
    wayOut: (keys, prefix) => followWayOut({ keys, prefix, client, stateDir, log, clock, signal }),
    close: () => {
      client.close();
      gate.close();
    },
  };
}
