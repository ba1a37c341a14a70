import { join } from 'node:path';
import { HUB_APPS, type HubApp } from '@bowline/messages/hub/apps';
import type { AppNotifications, AppRequests, HubNotifications, HubRequests } from '@bowline/messages/hub';
import { acquireLock, type Clock, type Lock, type Logger } from '@bowline/runtime';
import { ConfigError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { AppSocket, type AppConnection, type Peer } from './app-socket.ts';
import { checkOwn, entryOf, TO_APP } from './contract.ts';
import { newCounters, type IpcCounters } from './counters.ts';
import { checkGroup, prepareHubFolder, socketPath } from './hub-folder.ts';
import { limitsFrom, type IpcLimits } from './limits.ts';
import { ThrottledLog } from './throttled-log.ts';
import { checkRegistration, isExclusive } from './registration.ts';

export interface HubOptions {
  /** Holds the lock `hub.lock` and one socket an app, `APP.sock`. Made if absent. */
  folder: string;
  /** The most that a folder of sockets may allow; default 0o700. With group bits its group may use them. */
  folderMode?: number;
  /** Folders of the sockets of single apps, where each has a group of its own (docs/ipc.md). */
  appFolders?: Partial<Record<HubApp, string>>;
  /** The group, a name or a number, that the folder of an app must have; not looked at for those that are not named. */
  appGroups?: Partial<Record<HubApp, string>>;
  log: Logger;
  clock: Clock;
  limits?: Partial<IpcLimits>;
  /** A connection that has not registered within this time is dropped; default 5,000 ms. */
  registerWithinMs?: number;
}

type MaybePromise<T> = T | Promise<T>;
type RequestHandler = (body: never, peer: Peer) => unknown;

/** The gateway's side: every app of the device, by name. */
export interface Hub {
  /**
   * Answers a request of apps. `register` is checked by the hub first; its handler only says what the answer holds.
   * Until a name has its handler, requests for it are refused with TransientError `hub-starting`.
   */
  handle<N extends keyof HubRequests>(
    name: N,
    handler: (request: HubRequests[N]['request'], peer: Peer) => MaybePromise<HubRequests[N]['response']>,
  ): void;
  onNotification<N extends keyof HubNotifications>(
    name: N,
    handler: (body: HubNotifications[N], peer: Peer) => void,
  ): void;
  /**
   * Asks an app.
   *
   * @throws TransientError `app-away`, `deadline`, `window-full`, or the app's own; RejectedError `message-too-large` or
   *   the app's own; ContractError `invalid`; InternalError `own-message-invalid`; CancelledError `cancelled`.
   */
  request<N extends keyof AppRequests>(
    app: HubApp,
    name: N,
    body: AppRequests[N]['request'],
    options?: { deadlineMs?: number; signal?: AbortSignal },
  ): Promise<AppRequests[N]['response']>;
  /** To every registered app; lost for one that does not read. */
  notifyAll<N extends keyof AppNotifications>(name: N, body: AppNotifications[N]): void;
  /** The registered apps. */
  peers(): Peer[];
  /** After the app got its answer. An app that registers anew replaces its older connection, whose `onGone` comes first. */
  onRegistered(callback: (peer: Peer) => void): void;
  /** Once for each that was registered. */
  onGone(callback: (peer: Peer) => void): void;
  readonly counters: Readonly<IpcCounters>;
  /** Ends all connections, removes the sockets, gives the lock back. */
  close(): Promise<void>;
}

/**
 * Opens the hub: one socket an app, which is that app's identity.
 *
 * @throws ConfigError `socket-path-too-long`, `hub-folder-unsafe`, `hub-folder-unusable`, `hub-owner-unknown`, `already-running`: before any
 *   socket is touched.
 */
export async function openHub(options: HubOptions): Promise<Hub> {
  const { folder, folderMode = 0o700, appFolders = {}, appGroups = {} } = options;
  const folderOf = (app: HubApp) => appFolders[app] ?? folder;
  const paths = new Map(HUB_APPS.map((app) => [app, socketPath(folderOf(app), app)]));
  const socketFolders = new Set(HUB_APPS.map(folderOf));
  for (const each of socketFolders) prepareHubFolder(each, folderMode);
  for (const app of HUB_APPS) {
    const group = appGroups[app];
    if (group !== undefined) checkGroup(folderOf(app), group);
  }
  if (!socketFolders.has(folder)) prepareHubFolder(folder, 0o700);
  const lock = acquireLock(join(folder, 'hub.lock'));
  const hub = new OpenHub(options, lock, paths);
  try {
    await hub.listen();
  } catch (error) {
    await hub.close();
    throw new ConfigError(
      'hub-folder-unusable',
      `cannot open the hub sockets in ${folder}: ${String(error)}`,
      {
        cause: error,
      },
    );
  }
  return hub;
}

class OpenHub implements Hub {
  readonly counters = newCounters();
  readonly #options: HubOptions;
  readonly #lock: Lock;
  readonly #log: ThrottledLog;
  readonly #sockets: Map<HubApp, AppSocket>;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #listeners = new Map<string, (body: never, peer: Peer) => void>();
  readonly #registered: ((peer: Peer) => void)[] = [];
  readonly #gone: ((peer: Peer) => void)[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: HubOptions, lock: Lock, paths: ReadonlyMap<HubApp, string>) {
    const { log, clock, limits, folderMode = 0o700, registerWithinMs = 5000 } = options;
    this.#options = options;
    this.#lock = lock;
    this.#log = new ThrottledLog(log, clock);
    this.#sockets = new Map(
      [...paths].map(([app, path]) => [
        app,
        new AppSocket({
          app,
          path,
          groupAccess: (folderMode & 0o070) !== 0,
          limits: limitsFrom(limits),
          registerWithinMs,
          clock,
          log: new ThrottledLog(log.child({ peer: app }), clock),
          counters: this.counters,
          onRequest: (connection, name, body) => this.#answer(connection, name, body),
          onNotification: (connection, name, body) => this.#heed(connection, name, body),
          onClosed: (connection) => this.#closed(connection),
        }),
      ]),
    );
  }

  async listen(): Promise<void> {
    await Promise.all([...this.#sockets.values()].map((socket) => socket.listen()));
  }

  handle<N extends keyof HubRequests>(
    name: N,
    handler: (request: HubRequests[N]['request'], peer: Peer) => MaybePromise<HubRequests[N]['response']>,
  ): void {
    this.#handlers.set(name, handler);
  }

  onNotification<N extends keyof HubNotifications>(
    name: N,
    handler: (body: HubNotifications[N], peer: Peer) => void,
  ): void {
    this.#listeners.set(name, handler);
  }

  async request<N extends keyof AppRequests>(
    app: HubApp,
    name: N,
    body: AppRequests[N]['request'],
    options: { deadlineMs?: number; signal?: AbortSignal } = {},
  ): Promise<AppRequests[N]['response']> {
    const connection = this.#sockets.get(app)?.registered().at(-1);
    if (connection === undefined) throw new TransientError('app-away', `${app} is not connected to the hub`);
    return (await connection.channel.request(name, body, options)) as AppRequests[N]['response'];
  }

  notifyAll<N extends keyof AppNotifications>(name: N, body: AppNotifications[N]): void {
    checkOwn(entryOf(TO_APP.notifications, name), name, body);
    const text = JSON.stringify(body);
    for (const { channel } of this.#connections()) channel.notifyText(name, text);
  }

  peers(): Peer[] {
    return this.#connections().flatMap(({ peer }) => peer ?? []);
  }

  onRegistered(callback: (peer: Peer) => void): void {
    this.#registered.push(callback);
  }

  onGone(callback: (peer: Peer) => void): void {
    this.#gone.push(callback);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#sockets.values()].map((socket) => socket.close())).then(() =>
      this.#lock.release(),
    );
    return this.#closing;
  }

  #connections(): AppConnection[] {
    return [...this.#sockets.values()].flatMap((socket) => socket.registered());
  }

  #answer(connection: AppConnection, name: string, body: unknown): unknown {
    if (name === 'register') return this.#register(connection, body as HubRequests['register']['request']);
    if (connection.peer === undefined) throw new RejectedError('not-registered', 'register first');
    return this.#handlerOf(name)(body as never, connection.peer);
  }

  #handlerOf(name: string): RequestHandler {
    const handler = this.#handlers.get(name);
    if (handler === undefined) throw new TransientError('hub-starting', `the hub cannot answer ${name} yet`);
    return handler;
  }

  #heed(connection: AppConnection, name: string, body: unknown): void {
    if (connection.peer !== undefined) this.#listeners.get(name)?.(body as never, connection.peer);
  }

  async #register(connection: AppConnection, request: HubRequests['register']['request']): Promise<unknown> {
    if (connection.registering) throw new RejectedError('already-registered', 'registered already');
    checkRegistration(connection.app, request, this.counters);
    connection.registering = true;
    const { app, version, pid, orderTypes } = request;
    const peer = { app, version, pid, orderTypes, since: this.#options.clock.wallMs() };
    try {
      const response = await this.#handlerOf('register')(request as never, peer);
      // In the next phase of the event loop the answer waits in the write queue: whatever is sent then comes after it.
      setImmediate(() => this.#admit(connection, peer));
      return response;
    } catch (error) {
      connection.registering = false;
      throw error;
    }
  }

  #admit(connection: AppConnection, peer: Peer): void {
    if (connection.closed) return;
    if (isExclusive(peer.app)) {
      for (const older of this.#sockets.get(peer.app)?.registered() ?? []) {
        older.drop('replaced by a newer connection');
      }
    }
    connection.peer = peer;
    this.#log.write('info', { peer: peer.app, version: peer.version, pid: peer.pid }, 'app registered');
    this.#tell(this.#registered, peer);
  }

  #closed({ peer }: AppConnection): void {
    if (peer === undefined) return;
    this.#log.write('info', { peer: peer.app, pid: peer.pid }, 'app gone');
    this.#tell(this.#gone, peer);
  }

  #tell(callbacks: readonly ((peer: Peer) => void)[], peer: Peer): void {
    for (const callback of callbacks) {
      try {
        callback(peer);
      } catch (error) {
        this.counters.handlerFailures += 1;
        this.#log.write('error', { error }, 'a listener of the hub failed');
      }
    }
  }
}
