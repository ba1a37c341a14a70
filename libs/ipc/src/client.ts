import { HUB_VERSION, type HubApp } from '@bowline/messages/hub/apps';
import type { AppNotifications, AppRequests, HubNotifications, HubRequests } from '@bowline/messages/hub';
import { watchVitals } from '@bowline/runtime';
import { backoffMs, type BackoffOptions } from '@bowline/runtime/backoff';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import {
  CancelledError,
  ContractError,
  hasCode,
  TransientError,
  type BowlineError,
} from '@bowline/runtime/errors';
import type { Outcome } from './channel.ts';
import { newCounters, type IpcCounters } from './counters.ts';
import { Enqueuer, type EnqueueOptions, type NewMessage } from './enqueuer.ts';
import { away, HubConnection } from './hub-connection.ts';
import { checkHubFolder, checkHubSocket, ownUid, socketPath, userId } from './hub-folder.ts';
import { limitsFrom, type IpcLimits } from './limits.ts';
import { ThrottledLog } from './throttled-log.ts';

export interface HubClientOptions {
  /** Of the hub's sockets; ours is `APP.sock` in it. */
  folder: string;
  app: HubApp;
  version: string;
  orderTypes: readonly HubRequests['register']['request']['orderTypes'][number][];
  /** Commands that may run again after a crash; the gateway tells the server. */
  idempotent?(): readonly string[];
  log: Logger;
  clock: Clock;
  /** The hub's user, a name or a number, where it is not this process's own: only its folder or root's is trusted then. */
  owner?: string | undefined;
  limits?: Partial<IpcLimits>;
  /** Delays between attempts to connect; default base 100 ms, cap 2,000 ms, min 20 ms. */
  backoff?: BackoffOptions;
  /** In [0, 1), for the backoff; default Math.random. */
  random?: () => number;
}

type MaybePromise<T> = T | Promise<T>;
type Registered = HubRequests['register']['response'];

/** The app's side. It connects by itself, and again whenever the gateway comes back. */
export interface HubClient {
  /** Registered with the hub right now. */
  readonly connected: boolean;
  /** Why not, if it is not. */
  readonly lastError: BowlineError | undefined;
  readonly counters: Readonly<IpcCounters>;
  /**
   * @throws TransientError `hub-away`, `deadline`, `window-full`, or the hub's own; RejectedError `message-too-large` or the
   *   hub's own; ContractError `invalid`; InternalError `own-message-invalid`; CancelledError `cancelled`.
   */
  request<N extends Exclude<keyof HubRequests, 'register' | 'enqueue'>>(
    name: N,
    body: HubRequests[N]['request'],
    options?: { deadlineMs?: number; signal?: AbortSignal },
  ): Promise<HubRequests[N]['response']>;
  /** One-way; false if it was lost: the hub is away or does not read. */
  notify<N extends keyof HubNotifications>(name: N, body: HubNotifications[N]): boolean;
  /** Durable hand-over, see {@link Enqueuer.enqueue}: in the order of the calls, through restarts of the gateway. */
  enqueue(messages: readonly NewMessage[], options?: EnqueueOptions): Promise<void>;
  handle<N extends keyof AppRequests>(
    name: N,
    handler: (request: AppRequests[N]['request']) => MaybePromise<AppRequests[N]['response']>,
  ): void;
  onNotification<N extends keyof AppNotifications>(
    name: N,
    handler: (body: AppNotifications[N]) => void,
  ): void;
  /** Each time, after a restart of the gateway too; at once if registered already. */
  onRegistered(callback: (hub: Registered) => void): void;
  /** Hands over what is written already; every request and `enqueue` that waits fails with CancelledError. */
  close(): void;
}

/**
 * Connects an app to the hub and keeps it connected. Until `close` it keeps the process alive, connected or not.
 *
 * @throws ConfigError `socket-path-too-long`, `hub-folder-unsafe`, `hub-owner-unknown`. A folder that is absent or unsafe later is an attempt
 *   that failed: it is logged and tried again.
 */
export function connectHub(options: HubClientOptions): HubClient {
  const path = socketPath(options.folder, options.app);
  try {
    checkFolder(options);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return new ConnectingHubClient(options, path);
}

/** An attempt that has not led to a registration by then is given up, milliseconds. */
const REGISTER_WITHIN_MS = 5000;
/** Only a registration that lasted this long makes the backoff start anew, so two copies of an app do not evict each other in a tight loop. */
const STABLE_MS = 5000;
/** How often the hub is told how this process fares. */
const VITALS_EVERY_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

class ConnectingHubClient implements HubClient {
  readonly counters = newCounters();
  lastError: BowlineError | undefined = away('not connected yet');
  readonly #options: HubClientOptions;
  readonly #path: string;
  readonly #limits: IpcLimits;
  readonly #enqueuer: Enqueuer;
  readonly #handlers = new Map<string, (body: never) => unknown>();
  readonly #listeners = new Map<string, (body: never) => void>();
  readonly #registeredCallbacks: ((hub: Registered) => void)[] = [];
  readonly #log: ThrottledLog;
  readonly #keepAlive = setInterval(() => {}, LONGEST_TIMER_MS);
  #connection: HubConnection | undefined;
  #registered: Registered | undefined;
  #retry: Timer | undefined;
  readonly #vitals = watchVitals();
  #nextVitals: Timer | undefined;
  #attempt = 0;
  #registeredAtMs = 0;
  #closed = false;

  constructor(options: HubClientOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#limits = limitsFrom(options.limits);
    this.#log = new ThrottledLog(options.log, options.clock);
    const { log } = options;
    this.handle('setLogLevel', ({ level }) => ({ previous: log.changeLevel?.(level) ?? level }));
    this.#enqueuer = new Enqueuer(this.#limits, () => this.#connection?.close(away('it does not answer')));
    this.#connect();
  }

  get connected(): boolean {
    return this.#registered !== undefined;
  }

  async request<N extends keyof HubRequests>(
    name: N,
    body: HubRequests[N]['request'],
    options: { deadlineMs?: number; signal?: AbortSignal } = {},
  ): Promise<HubRequests[N]['response']> {
    if (this.#connection === undefined || !this.connected) throw this.#away();
    return (await this.#connection.channel.request(name, body, options)) as HubRequests[N]['response'];
  }

  notify<N extends keyof HubNotifications>(name: N, body: HubNotifications[N]): boolean {
    if (this.connected && this.#connection !== undefined) return this.#connection.channel.notify(name, body);
    this.counters.droppedNotifications += 1;
    return false;
  }

  enqueue(messages: readonly NewMessage[], options: EnqueueOptions = {}): Promise<void> {
    return this.#enqueuer.enqueue(messages, options);
  }

  handle<N extends keyof AppRequests>(
    name: N,
    handler: (request: AppRequests[N]['request']) => MaybePromise<AppRequests[N]['response']>,
  ): void {
    this.#handlers.set(name, handler);
  }

  onNotification<N extends keyof AppNotifications>(
    name: N,
    handler: (body: AppNotifications[N]) => void,
  ): void {
    this.#listeners.set(name, handler);
  }

  onRegistered(callback: (hub: Registered) => void): void {
    this.#registeredCallbacks.push(callback);
    if (this.#registered !== undefined) callback(this.#registered);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#keepAlive);
    this.#retry?.cancel();
    this.#nextVitals?.cancel();
    this.#enqueuer.close();
    this.#connection?.close(new CancelledError('cancelled', 'the client of the hub was closed'));
  }

  #away(): TransientError {
    const cause = this.lastError;
    if (cause === undefined) return away('not registered yet');
    return new TransientError('hub-away', cause.message, { cause });
  }

  #connect(): void {
    try {
      checkFolder(this.#options);
      checkHubSocket(this.#path, ownersOf(this.#options));
    } catch (error) {
      return this.#lost(error as BowlineError);
    }
    const { clock } = this.#options;
    const connection = new HubConnection({
      path: this.#path,
      limits: this.#limits,
      clock,
      log: this.#log,
      counters: this.counters,
      onRequest: (name, body) => this.#answer(name, body),
      onNotification: (name, body) => this.#listeners.get(name)?.(body as never),
      onOpen: () => this.#register(connection),
      onRoom: () => this.#enqueuer.pump(),
      onClosed: (error) => {
        late.cancel();
        this.#lost(error);
      },
    });
    const late = clock.after(REGISTER_WITHIN_MS, () => {
      if (!this.connected) connection.close(away('no registration in time'));
    });
    this.#connection = connection;
  }

  #register(connection: HubConnection): void {
    const { app, version, orderTypes } = this.#options;
    const idempotent = this.#options.idempotent?.();
    const request = { app, version, pid: process.pid, hubVersion: HUB_VERSION, orderTypes, idempotent };
    const { channel } = connection;
    const done = (outcome: Outcome) => {
      if (outcome.kind !== 'answered') return connection.close(outcome.error);
      this.#registered = outcome.response as Registered;
      this.#registeredAtMs = this.#options.clock.monotonicMs();
      this.lastError = undefined;
      this.#options.log.info({ hubFolder: this.#options.folder }, 'registered with the hub');
      this.#enqueuer.attach(channel);
      for (const callback of this.#registeredCallbacks)
        this.#guarded(() => callback(outcome.response as Registered));
      this.#tellVitals();
    };
    channel.send('register', JSON.stringify(request), REGISTER_WITHIN_MS, done);
  }

  #tellVitals(): void {
    if (!this.connected) return;
    this.notify('vitals', this.#vitals());
    this.#nextVitals = this.#options.clock.after(VITALS_EVERY_MS, () => this.#tellVitals());
  }

  #lost(error: BowlineError): void {
    const wasConnected = this.connected;
    this.#nextVitals?.cancel();
    this.#connection = undefined;
    this.#registered = undefined;
    this.#enqueuer.detach();
    if (this.#closed) return;
    const { clock, log, random = Math.random, backoff } = this.#options;
    if (wasConnected && clock.monotonicMs() - this.#registeredAtMs >= STABLE_MS) this.#attempt = 0;
    const isNews = wasConnected || error.code !== this.lastError?.code || this.#attempt === 0;
    this.lastError = error;
    const delayMs = backoffMs(this.#attempt, random(), { minMs: 20, baseMs: 100, capMs: 2000, ...backoff });
    this.#attempt += 1;
    log[isNews ? 'warn' : 'debug']({ code: error.code, delayMs: Math.round(delayMs) }, error.message);
    this.#retry = clock.after(delayMs, () => this.#connect());
  }

  #answer(name: string, body: unknown): unknown {
    const handler = this.#handlers.get(name);
    if (handler === undefined)
      throw new ContractError('unsupported', `${this.#options.app} does not take ${name}`);
    return handler(body as never);
  }

  #guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.counters.handlerFailures += 1;
      this.#log.write('error', { error }, 'a listener of the hub client failed');
    }
  }
}

/** Users whose folder and socket are trusted. */
const ownersOf = ({ owner }: HubClientOptions): number[] => [
  owner === undefined ? ownUid() : userId(owner),
  0,
];

const checkFolder = (options: HubClientOptions): void =>
  checkHubFolder(options.folder, { owners: ownersOf(options), mode: 0o755 });

const isAbsent = (error: unknown) => error instanceof Error && hasCode(error.cause, 'ENOENT');
