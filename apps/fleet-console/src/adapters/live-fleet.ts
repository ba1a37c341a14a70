import { BowlineError, CancelledError, RejectedError } from '@bowline/runtime/errors';
import type { EnrolmentToken, Rollout, RolloutReport, SshSession } from '@bowline/messages';
import { afterNews, EMPTY_FLEET, type FleetNews, type FleetState } from '../core/fleet-state.ts';
import { stateOf, type HistoryState } from '../core/history-query.ts';
import type { JsonValue } from '../core/json.ts';
import { csrfToken, forgetCsrfToken, keepCsrfToken } from './browser-session.ts';
import { FleetApi } from './fleet-api.ts';
import { followStream } from './live-stream.ts';
import { TelemetryStore } from './telemetry-store.ts';

/** Orders and events asked for when a device is opened. */
const PAGE = 50;
/** Devices whose orders are asked for at sign-in, so that what is stuck shows in the list. */
const WATCHED_AT_ONCE = 50;
/** Below this a difference to the server's clock is rounding, milliseconds. */
const CLOCK_OFFSET_MATTERS_MS = 2_000;

/** The fleet as the server tells it: loads, follows, and does what the operator asks. `onChange` after each change. */
export class LiveFleet {
  readonly #onChange: () => void;
  #state: FleetState = EMPTY_FLEET;
  #api: FleetApi | undefined;
  #telemetry: TelemetryStore | undefined;
  #shown: string | undefined;
  #unfollow: () => void = () => {};
  #unfollowShown: () => void = () => {};
  #clockOffsetMs = 0;

  constructor({ onChange }: { onChange: () => void }) {
    this.#onChange = onChange;
  }

  get state(): FleetState {
    return this.#state;
  }

  get telemetry(): TelemetryStore | undefined {
    return this.#telemetry;
  }

  /** The server's clock, so that "27 min ago" is right on a laptop whose own clock is not. */
  now(): number {
    return Date.now() + (Math.abs(this.#clockOffsetMs) > CLOCK_OFFSET_MATTERS_MS ? this.#clockOffsetMs : 0);
  }

  /** Begins a session with a token, which is then forgotten. */
  async signIn(token: string): Promise<void> {
    this.#stop();
    const api = this.#newApi();
    this.#tell({ kind: 'signingIn' });
    try {
      const session = await api.signIn(token);
      if (api !== this.#api) return;
      keepCsrfToken(session.csrfToken ?? '');
      this.#follow(api);
    } catch (error) {
      if (api === this.#api) this.#signedOut(error instanceof Error ? error.message : String(error));
    }
  }

  /** Goes on with the session that this browser has. @returns false if it has none. */
  resume(): boolean {
    if (csrfToken() === undefined) return false;
    this.#stop();
    this.#follow(this.#newApi());
    return true;
  }

  /** Ends the session here; at the server too, if that can be reached. */
  async signOut(): Promise<void> {
    const api = this.#api;
    const ended = api?.signOut().catch(() => {});
    this.#signedOut();
    await ended;
  }

  #newApi(): FleetApi {
    this.#api = new FleetApi({ csrfToken, onClockOffset: (offsetMs) => (this.#clockOffsetMs = offsetMs) });
    return this.#api;
  }

  #follow(api: FleetApi): void {
    this.#tell({ kind: 'signedIn' });
    this.#unfollow = followStream({
      open: (signal) => api.openStream({ kinds: 'device,order' }, signal),
      onNews: (news) => this.#tell(news),
      onOpen: () => void this.#loadAll(api),
      onUnauthorized: (reason) => this.#signedOut(reason),
      now: () => this.now(),
    });
  }

  #signedOut(reason?: string): void {
    this.#stop();
    forgetCsrfToken();
    this.#tell({ kind: 'signedOut', ...(reason !== undefined && { reason }) });
  }

  /** Shows one device in full. */
  show(deviceId: string | undefined): void {
    if (deviceId === this.#shown) return;
    this.#shown = deviceId;
    this.#unfollowShown();
    this.#telemetry?.close();
    this.#telemetry = undefined;
    this.#tell({ kind: 'noDetails' });
    if (deviceId !== undefined && this.#api !== undefined) {
      this.#telemetry = new TelemetryStore(this.#api, deviceId, this.#onChange);
      this.#followShown(this.#api, deviceId);
    }
  }

  /** A stream of its own, so that the samples of a whole fleet do not come to each page. */
  #followShown(api: FleetApi, device: string): void {
    this.#unfollowShown = followStream({
      open: (signal) => api.openStream({ kinds: 'event,telemetry', device }, signal),
      // How the link is, is told by the stream of the fleet.
      onNews: (news) => news.kind !== 'link' && this.#tell(news),
      onOpen: () => void this.retry(),
      onUnauthorized: (reason) => this.#signedOut(reason),
      now: () => this.now(),
    });
  }

  /** Has these series of the shown device loaded and followed from `from` on. */
  async showSeries(series: readonly string[], from: number): Promise<void> {
    await this.#guarded(async () => this.#telemetry?.show(series, from));
  }

  /** Asks again for all that is shown of the device, after something could not be loaded. */
  async retry(): Promise<void> {
    await this.loadDetails();
    await this.#guarded(async () => this.#telemetry?.reload());
  }

  async loadDetails(): Promise<void> {
    const api = this.#api;
    const deviceId = this.#shown;
    if (api === undefined || deviceId === undefined) return;
    await this.#guarded(async () => {
      const [orders, events, deadLetters, series] = await Promise.all([
        api.orders(deviceId, PAGE),
        api.events(deviceId, PAGE),
        api.deadLetters(deviceId),
        api.series(deviceId),
      ]);
      if (deviceId !== this.#shown) return;
      this.#tell({ kind: 'orders', orders });
      this.#tell({ kind: 'details', details: { deviceId, events, deadLetters, series } });
    });
  }

  /** @throws BowlineError what the server said, in words */
  async sendCommand(
    deviceId: string,
    payload: { name: string; params: Record<string, JsonValue> },
    expiresInMs?: number,
  ): Promise<void> {
    const order = await this.#signedIn().sendCommand(deviceId, payload, expiresInMs);
    this.#tell({ kind: 'orders', orders: [order] });
  }

  /** @returns the id of the order. @throws BowlineError what the server said, in words */
  async requestHistory(deviceId: string, payload: Record<string, JsonValue>): Promise<string> {
    const order = await this.#signedIn().requestHistory(deviceId, payload);
    this.#tell({ kind: 'orders', orders: [order] });
    return order.orderId;
  }

  /** How the answer to such an order stands. @throws BowlineError what the server said, in words */
  async historyState(orderId: string, series: string): Promise<HistoryState> {
    const answer = await this.#signedIn().historyAnswer(orderId);
    return stateOf(answer, series, this.#state.orders.get(orderId)?.error?.message);
  }

  /** @throws BowlineError what the server said, in words */
  async cancelOrder(orderId: string): Promise<void> {
    await this.#signedIn().cancelOrder(orderId);
  }

  /** Of all devices. @throws BowlineError what the server said, in words */
  async sshSessions(): Promise<SshSession[]> {
    return this.#signedIn().sshSessions();
  }

  /** @throws BowlineError what the server said, in words */
  async endSshSession(sessionId: string): Promise<void> {
    await this.#signedIn().endSshSession(sessionId);
  }

  /** @throws BowlineError what the server said, in words */
  async rollouts(): Promise<Rollout[]> {
    return this.#signedIn().rollouts();
  }

  /** @throws BowlineError what the server said, in words */
  async rollout(rolloutId: string): Promise<RolloutReport> {
    return this.#signedIn().rollout(rolloutId);
  }

  /** @throws BowlineError what the server said, in words */
  async haltRollout(rolloutId: string, how: 'pause' | 'stop', reason: string): Promise<void> {
    await this.#signedIn().haltRollout(rolloutId, how, reason);
  }

  /** @throws BowlineError what the server said, in words */
  async createEnrolmentToken(): Promise<EnrolmentToken> {
    return this.#signedIn().createEnrolmentToken();
  }

  async #loadAll(api: FleetApi): Promise<void> {
    await this.#guarded(async () => {
      const [session, devices, server] = await Promise.all([api.session(), api.devices(), api.server()]);
      if (api !== this.#api) return;
      this.#tell({ kind: 'session', session });
      this.#tell({ kind: 'server', server });
      this.#tell({ kind: 'devices', devices });
      const others = devices.filter(({ deviceId }) => deviceId !== this.#shown).slice(0, WATCHED_AT_ONCE);
      await Promise.all(
        others.map(async ({ deviceId }) =>
          this.#tell({ kind: 'orders', orders: await api.orders(deviceId, PAGE) }),
        ),
      );
    });
  }

  /** Does something whose failure is told on the page, not thrown. */
  async #guarded(load: () => Promise<void>): Promise<void> {
    try {
      await load();
    } catch (error) {
      if (error instanceof CancelledError) return;
      if (error instanceof RejectedError && error.code === 'unauthorized')
        return this.#signedOut(error.message);
      const words = error instanceof Error ? error.message : String(error);
      const reason = error instanceof BowlineError ? words : `this page has a fault (${words}).`;
      this.#tell({ kind: 'loadFailed', reason });
    }
  }

  #signedIn(): FleetApi {
    if (this.#api === undefined) throw new RejectedError('unauthorized', 'Sign in first.');
    return this.#api;
  }

  #tell(news: FleetNews): void {
    this.#state = afterNews(this.#state, news);
    if (news.kind === 'telemetry') this.#telemetry?.take(news.news);
    this.#onChange();
  }

  #stop(): void {
    this.#unfollow();
    this.#unfollowShown();
    this.#telemetry?.close();
    this.#telemetry = undefined;
    this.#shown = undefined;
    this.#api = undefined;
  }
}
