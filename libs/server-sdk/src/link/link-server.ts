import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Timer } from '@bowline/runtime/clock';
import { WebSocketServer, type WebSocket } from 'ws';
import { refusal, type Refusal } from '../problem.ts';
import { answerUpgrade } from '../upgrade-answer.ts';
import { COMPRESSION } from './compression.ts';
import { CLOSE, closeReason, type CloseCode } from './close-codes.ts';
import { FIRST_FRAME_BYTES } from './link-limits.ts';
import { LinkRegistry } from './link-registry.ts';
import { LinkSession } from './link-session.ts';
import { RateLimiter, type Rate } from './rate-limiter.ts';
import { ReplayGuard } from './replay-guard.ts';
import type { LinkServices, LinkSocket } from './services.ts';
import { linkedDevice, refuseUpgrade, SUBPROTOCOL, type Gate } from './upgrade.ts';

export interface LinkServerOptions {
  /** Links at a time; more are told to come back later. */
  maxLinks: number;
  /** Attempts for one device from one address. */
  attempts: Rate;
  /** The address of a caller, e.g. as a trusted proxy tells it. */
  addressOf: (request: IncomingMessage) => string;
  /** A link needs a client certificate that names its device; default false. */
  requireCertificate?: boolean;
  /** Whether devices that offer it may pack what they send; default true. */
  compression?: boolean;
}

const TICK_MS = 1000;
const SWEEP_MS = 60_000;
/** A closed socket whose other side does not answer is cut off after this. */
const CLOSE_GRACE_MS = 2000;
const BUSY_RETRY_MS = 5000;
const SHUT_RETRY_MS = 60_000;

/** Accepts links over WebSocket: upgrade, authentication, sessions, their clock and their end. */
export class LinkServer {
  readonly #services: LinkServices;
  readonly #options: LinkServerOptions;
  readonly #gate: Gate;
  readonly #registry = new LinkRegistry<LinkSession>();
  readonly #sessions = new Map<WebSocket, LinkSession>();
  readonly #sockets: WebSocketServer;
  #upgrading = 0;
  #draining = false;
  #closedFor: { code: string; detail: string } | undefined;
  #tick: Timer | undefined;
  #sweep: Timer | undefined;

  constructor(services: LinkServices, options: LinkServerOptions) {
    this.#services = services;
    this.#options = options;
    const { store, clock, limits, orders } = services;
    this.#gate = {
      services,
      replay: new ReplayGuard(store, clock),
      attempts: new RateLimiter(clock, options.attempts),
      addressOf: options.addressOf,
      requireCertificate: options.requireCertificate ?? false,
    };
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: (options.compression ?? true) && COMPRESSION,
      maxPayload: Math.max(limits.frameBytes, FIRST_FRAME_BYTES),
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    orders.isLinked = (deviceId) => this.#registry.get(deviceId) !== undefined;
    orders.onQueued = (deviceId) => this.#registry.get(deviceId)?.pump();
    this.#everySecond();
    this.#everyMinute();
  }

  get links(): number {
    return this.#sessions.size;
  }

  /** Why no links are taken, if that is so. */
  get closedFor(): { code: string; detail: string } | undefined {
    return this.#closedFor;
  }

  /** The `upgrade` event of an HTTP server. @returns false if the URL is none of a link. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const deviceId = linkedDevice(request.url ?? '');
    if (deviceId === undefined) return false;
    // The other side may go away while we look at its token.
    socket.on('error', () => socket.destroy());
    void this.#upgrade(deviceId, request, socket, head);
    return true;
  }

  /** Closes every link of a device that may no longer have one, also those that have not said hello. */
  dismiss(deviceId: string, code: CloseCode = CLOSE.deviceRefused): void {
    for (const session of this.#sessions.values()) if (session.deviceId === deviceId) session.close(code);
  }

  /** Takes no links while there is a reason, e.g. a full disk; those that are open come back later. */
  shut(reason: { code: string; detail: string } | undefined): void {
    this.#closedFor = reason;
    if (reason === undefined) return;
    for (const session of this.#sessions.values()) session.close(CLOSE.overloaded);
  }

  /** Orderly end: takes nothing more in, receipts what it holds, spreads the devices' return. */
  async drain(random: () => number = Math.random): Promise<void> {
    this.#draining = true;
    this.#tick?.cancel();
    this.#sweep?.cancel();
    const { minMs, maxMs } = this.#services.limits.reconnect;
    const sessions = [...this.#sessions.values()];
    await Promise.all(
      sessions.map((session) => session.drain(Math.round(minMs + random() * (maxMs - minMs)))),
    );
  }

  async #upgrade(deviceId: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const refused = this.#busy() ?? (await this.#counted(() => refuseUpgrade(this.#gate, deviceId, request)));
    if (socket.destroyed) return;
    if (refused !== undefined || this.#draining) return answerUpgrade(socket, refused ?? restarting());
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(deviceId, webSocket));
  }

  #busy(): Refusal | undefined {
    if (this.#draining) return restarting();
    if (this.#closedFor !== undefined) {
      const { code, detail } = this.#closedFor;
      return refusal(503, code, detail, { retryAfterMs: SHUT_RETRY_MS });
    }
    if (this.#sessions.size + this.#upgrading < this.#options.maxLinks) return undefined;
    return refusal(503, 'overloaded', 'too many links', { retryAfterMs: BUSY_RETRY_MS });
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#upgrading += 1;
    try {
      return await work();
    } finally {
      this.#upgrading -= 1;
    }
  }

  #accept(deviceId: string, webSocket: WebSocket): void {
    if (webSocket.protocol !== SUBPROTOCOL) {
      webSocket.on('error', () => webSocket.terminate());
      return closeSoon(webSocket, CLOSE.noCommonVersion, closeReason());
    }
    const session = new LinkSession(deviceId, linkSocket(webSocket), this.#services, this.#registry);
    this.#sessions.set(webSocket, session);
    webSocket.on('message', (data: Buffer, isBinary) => session.received(data, isBinary));
    webSocket.on('ping', () => session.heard());
    webSocket.on('pong', () => session.heard());
    webSocket.on('error', (error) =>
      this.#services.log.info({ deviceId, error: error.message }, 'link failed'),
    );
    webSocket.on('close', (code) => {
      this.#sessions.delete(webSocket);
      session.ended(code);
    });
  }

  #everySecond(): void {
    this.#tick = this.#services.clock.after(TICK_MS, () => {
      for (const session of this.#sessions.values()) session.tick();
      this.#everySecond();
    });
  }

  #everyMinute(): void {
    this.#sweep = this.#services.clock.after(SWEEP_MS, () => {
      void this.#gate.replay.sweep();
      this.#everyMinute();
    });
  }
}

const restarting = (): Refusal =>
  refusal(503, 'restarting', 'the server is restarting', { retryAfterMs: BUSY_RETRY_MS });

const linkSocket = (webSocket: WebSocket): LinkSocket => ({
  send: (text) => webSocket.send(text),
  close: (code, reason) => closeSoon(webSocket, code, reason),
  terminate: () => webSocket.terminate(),
  ping: () => webSocket.ping(),
  pause: () => webSocket.pause(),
  resume: () => webSocket.resume(),
});

/** `close()` alone waits 30 s for a peer that is dead. */
function closeSoon(webSocket: WebSocket, code: number, reason: string): void {
  webSocket.close(code, reason);
  setTimeout(() => webSocket.terminate(), CLOSE_GRACE_MS).unref();
}
