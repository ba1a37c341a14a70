import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '@bowline/runtime';
import { wait, type Clock, type Timer } from '@bowline/runtime/clock';
import { TUNNEL_FRAME_BYTES, TUNNEL_SUBPROTOCOL, TunnelEnd } from '@bowline/tunnel';
import { WebSocketServer, type WebSocket } from 'ws';
import { CLOSE, closeReason } from '../link/close-codes.ts';
import { RateLimiter, type Rate } from '../link/rate-limiter.ts';
import { refusal, type Refusal } from '../problem.ts';
import { answerUpgrade } from '../upgrade-answer.ts';
import { TunnelDesk, type TunnelReport } from './tunnel-desk.ts';
import { hashOfToken } from './tunnel-record.ts';
import type { TunnelSessions } from './tunnel-sessions.ts';

const PATH = /^\/v1\/tunnels\/([A-Za-z0-9._-]{1,64})\/(device|operator)$/;
const BEARER = /^Bearer ([A-Za-z0-9._~+/-]{1,2048}=*)$/i;
const TICK_MS = 1000;
/** An operator who finds nothing standing by waits this long (protocol, section 8). */
const PATIENCE_MS = 10_000;
const RETRY_AFTER_MS = 2000;
/** What waits to be taken may take so long when the server stops. */
const DRAIN_MS = 3000;

export interface TunnelServerPorts {
  sessions: TunnelSessions;
  clock: Clock;
  log: Logger;
  /** What the audit log is told of. */
  report: (report: TunnelReport) => void;
  /** The caller's address, where a trusted proxy may stand between. */
  addressOf: (request: IncomingMessage) => string;
}

export interface TunnelServerOptions {
  /** Sockets of tunnels at a time, of devices and operators together. */
  maxSockets: number;
  /** Attempts of one address. */
  attempts: Rate;
  /** In one direction of a pair, bytes. */
  maxWaitingBytes: number;
  /** A pair of which one side takes nothing for this long ends. */
  stallMs: number;
}

/** The relay (protocol, section 8): pairs a device's sockets with operators', by session. It sees ciphertext only. */
export class TunnelServer {
  readonly #ports: TunnelServerPorts;
  readonly #options: TunnelServerOptions;
  readonly #sockets: WebSocketServer;
  readonly #attempts: RateLimiter;
  readonly #desk: TunnelDesk;
  readonly #ends = new Set<TunnelEnd>();
  readonly #stopping = new AbortController();
  #upgrading = 0;
  #timer: Timer | undefined;

  constructor(ports: TunnelServerPorts, options: TunnelServerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#attempts = new RateLimiter(ports.clock, options.attempts);
    this.#desk = new TunnelDesk(ports, options.maxWaitingBytes);
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: TUNNEL_FRAME_BYTES,
      handleProtocols: (offered) => (offered.has(TUNNEL_SUBPROTOCOL) ? TUNNEL_SUBPROTOCOL : false),
    });
    this.#everySecond();
  }

  /** Of a session: pairs that are open now. */
  openStreams(sessionId: string): number {
    return this.#desk.openStreams(sessionId);
  }

  /** Whether the device's socket stands by. */
  isReady(sessionId: string): boolean {
    return this.#desk.isReady(sessionId);
  }

  /** Ends a session before its time: all its sockets are closed 4410, and so is whoever comes later. */
  end(sessionId: string, by: string): Promise<void> {
    return this.#desk.end(sessionId, by);
  }

  /** Ends all sessions of a device: it has been shut out. */
  async endOf(deviceId: string, by: string): Promise<void> {
    const live = this.#ports.sessions.live().filter((session) => session.deviceId === deviceId);
    await Promise.all(live.map(({ sessionId }) => this.end(sessionId, by)));
  }

  /** The `upgrade` event of an HTTP server. @returns false if the URL is none of a tunnel. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const [, sessionId, side] = PATH.exec(request.url?.split('?')[0] ?? '') ?? [];
    if (sessionId === undefined) return false;
    socket.on('error', () => socket.destroy());
    void this.#upgrade({ sessionId, side: side as 'device' | 'operator', request, socket, head });
    return true;
  }

  /** Sockets are closed 1012: a device comes again with the token that it holds. @returns once none is left. */
  async drain(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    const closed = [...this.#ends].map((end) => new Promise<void>((resolve) => end.onClose(() => resolve())));
    const cutOff = setTimeout(() => this.#ends.forEach((end) => end.terminate()), DRAIN_MS);
    this.#desk.closeAll(CLOSE.restarting);
    for (const end of this.#ends) end.close(CLOSE.restarting);
    await Promise.all(closed);
    clearTimeout(cutOff);
    await this.#desk.written();
  }

  async #upgrade(attempt: Attempt): Promise<void> {
    const { socket, sessionId, request } = attempt;
    const refused = this.#refuse(attempt);
    if (refused !== undefined) return answerUpgrade(socket, refused);
    if (attempt.side === 'device') return this.#accept(attempt, (end) => this.#attach(attempt, end));
    const { sessions } = this.#ports;
    const record = sessions.get(sessionId);
    if (!sessions.isLive(sessionId)) return this.#accept(attempt, (end) => end.close(CLOSE.sessionOver));
    if (record === undefined || !this.#desk.mayOpen(record))
      return this.#accept(attempt, (end) => end.close(CLOSE.tooMany));
    this.#upgrading += 1;
    const reserved = this.#desk.reserve(sessionId);
    try {
      if (!(await this.#readyInTime(sessionId, socket))) {
        const detail = 'the device has no socket standing by; is it online, and was the grant given to it?';
        return answerUpgrade(
          socket,
          refusal(503, 'device-not-there', detail, { retryAfterMs: RETRY_AFTER_MS }),
        );
      }
      const remote = this.#ports.addressOf(request);
      this.#accept(attempt, (end) => this.#desk.pair(sessionId, end, remote));
    } finally {
      reserved();
      this.#upgrading -= 1;
    }
  }

  #refuse({ sessionId, side, request }: Attempt): Refusal | undefined {
    if (this.#stopping.signal.aborted)
      return refusal(503, 'restarting', 'the server is restarting', { retryAfterMs: RETRY_AFTER_MS });
    const { sessions, addressOf } = this.#ports;
    const retryAfterMs = this.#attempts.take(addressOf(request));
    if (retryAfterMs > 0) return refusal(429, 'too-many-requests', 'too many attempts', { retryAfterMs });
    if (this.#ends.size + this.#upgrading >= this.#options.maxSockets)
      return refusal(503, 'overloaded', 'too many tunnels', { retryAfterMs: RETRY_AFTER_MS });
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const record = sessions.get(sessionId);
    if (token === undefined || record === undefined || !this.#desk.isGood(record, side, hashOfToken(token)))
      return refusal(401, 'bad-token', 'the token is none of this session, or was used before');
    return undefined;
  }

  async #readyInTime(sessionId: string, socket: Duplex): Promise<boolean> {
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, this.#stopping.signal]);
    socket.once('close', () => giveUp.abort());
    const patience = wait(this.#ports.clock, PATIENCE_MS, signal).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([this.#desk.whenReady(sessionId, signal), patience]);
    } finally {
      giveUp.abort();
    }
  }

  #accept({ request, socket, head }: Attempt, then: (end: TunnelEnd) => void): void {
    if (socket.destroyed) return;
    this.#sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      if (webSocket.protocol !== TUNNEL_SUBPROTOCOL) {
        webSocket.on('error', () => webSocket.terminate());
        return webSocket.close(CLOSE.noCommonVersion, closeReason());
      }
      const end = new TunnelEnd(webSocket, this.#ports.clock, this.#options.stallMs);
      this.#ends.add(end);
      end.onClose(() => this.#ends.delete(end));
      then(end);
    });
  }

  #attach({ sessionId, request }: Attempt, end: TunnelEnd): void {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!this.#ports.sessions.isLive(sessionId)) return end.close(CLOSE.sessionOver);
    void this.#desk.attach(sessionId, hashOfToken(token), end);
  }

  #everySecond(): void {
    this.#timer = this.#ports.clock.after(TICK_MS, () => {
      for (const end of this.#ends) end.tick();
      this.#desk.closeOver();
      this.#everySecond();
    });
  }
}

interface Attempt {
  sessionId: string;
  side: 'device' | 'operator';
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}
