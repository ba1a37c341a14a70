import type { Agent, IncomingMessage } from 'node:http';
import { parseFrame, type TunnelAttached, type TunnelPaired } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import { attached as isAttached, paired as isPaired } from '@bowline/messages/tunnel';
import { backoffMs, type Logger } from '@bowline/runtime';
import type { Clock, Timer } from '@bowline/runtime/clock';
import { ContractError } from '@bowline/runtime/errors';
import { proxyAgent, proxyFor, type ProxySettings } from '@bowline/runtime/proxy';
import {
  TUNNEL_CLOSE,
  TUNNEL_FRAME_BYTES,
  TUNNEL_SUBPROTOCOL,
  tunnelClientOptions,
  TunnelEnd,
} from '@bowline/tunnel';
import { WebSocket } from 'ws';
import { Pace, type Rate } from '../core/pace.ts';

export interface TunnelOptions {
  url: string;
  /** The one that the order brought. */
  token: string;
  /** Open at a time, at most. */
  streams: number;
  /** At which they may begin. */
  rate: () => Rate;
  /** PEM; the system's authorities without it. */
  ca: string | undefined;
  /** The way to the relay now; undefined: directly. */
  proxy: () => ProxySettings | undefined;
  clock: Clock;
  log: Logger;
  random: () => number;
}

export interface TunnelEvents {
  /** An operator is on the other end. @returns once nothing of the stream runs any more: until then it counts as open. */
  onStream(end: TunnelEnd, paired: TunnelPaired): Promise<void>;
  /** The relay is not reached, by the first attempt in a row. */
  onTrouble(why: string): void;
  /** No more sockets: the relay said that the session is over, or it takes none of our tokens. */
  onOver(reason: 'session-over' | 'token-refused'): void;
}

const ATTACH_DEADLINE_MS = 20_000;
const TICK_MS = 1000;
const STALL_MS = 300_000;
/** A session is short, and an operator waits 10 s at the relay at most: its tunnel comes back sooner than a link. */
const BACKOFF = { baseMs: 250, capMs: 3000 };

/**
 * The device's side of a session's tunnel (protocol, section 8): keeps one socket standing by while another stream may open,
 * and comes back after a loss with the token that is still good.
 */
export class Tunnel {
  readonly #options: TunnelOptions;
  readonly #events: TunnelEvents;
  readonly #ends = new Set<TunnelEnd>();
  readonly #sockets = new Set<WebSocket>();
  #token: string;
  #nextToken: string | undefined;
  #standby: WebSocket | undefined;
  #open = 0;
  #failures = 0;
  #closed = false;
  #tick: Timer | undefined;
  #retry: Timer | undefined;
  readonly #pace = new Pace();

  constructor(options: TunnelOptions, events: TunnelEvents) {
    this.#options = options;
    this.#events = events;
    this.#token = options.token;
    this.#standBy();
    this.#everySecond();
  }

  /** Streams of which something runs. */
  get open(): number {
    return this.#open;
  }

  /** The session is over: whoever is on the other end is told so. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tick?.cancel();
    this.#retry?.cancel();
    for (const end of this.#ends) end.close(TUNNEL_CLOSE.sessionOver);
    this.#standby?.terminate();
  }

  #standBy(): void {
    if (this.#closed || this.#standby !== undefined || this.#open >= this.#options.streams) return;
    const { url, ca, clock, log } = this.#options;
    const givenUp = new AbortController();
    const socket = new WebSocket(url, TUNNEL_SUBPROTOCOL, {
      headers: { authorization: `Bearer ${this.#token}` },
      ...tunnelClientOptions(url, this.#agent(givenUp.signal)),
      handshakeTimeout: ATTACH_DEADLINE_MS,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#standby = socket;
    this.#sockets.add(socket);
    const deadline = clock.after(ATTACH_DEADLINE_MS, () => socket.terminate());
    const end = new TunnelEnd(socket, clock, STALL_MS);
    this.#ends.add(end);
    let stream = false;
    let status: number | undefined;
    socket.on('unexpected-response', (_request, response: IncomingMessage) => {
      status = response.statusCode;
      socket.terminate();
    });
    socket.on('error', ({ message }) => {
      if (this.#closed) return;
      const isFirst = this.#failures === 0;
      log[isFirst ? 'warn' : 'debug']({ error: message }, 'tunnel failed');
      if (isFirst) this.#events.onTrouble(message);
    });
    socket.on('message', (data: Buffer, isBinary) => {
      if (stream || this.#closed) return; // the stream's; or what was still in a buffer when all was over
      const told = isBinary ? undefined : readText(data);
      if (told === undefined) return socket.terminate();
      if (told.type === 'attached') {
        deadline.cancel();
        this.#failures = 0;
        this.#nextToken = told.nextToken;
        return undefined;
      }
      stream = true;
      this.#open += 1;
      this.#standby = undefined;
      this.#spendToken();
      void this.#events.onStream(end, told).then(() => {
        this.#open -= 1;
        this.#next();
      });
      this.#next();
    });
    end.onClose((code) => {
      deadline.cancel();
      givenUp.abort();
      this.#ends.delete(end);
      this.#sockets.delete(socket);
      if (this.#standby === socket) this.#standby = undefined;
      this.#afterClose(code, status, stream);
    });
  }

  #agent(signal: AbortSignal): Agent | undefined {
    const { url, clock } = this.#options;
    const proxy = proxyFor(this.#options.proxy(), new URL(url));
    const secure = url.startsWith('wss:');
    return proxy && proxyAgent({ proxy, secure, clock, deadlineMs: ATTACH_DEADLINE_MS, signal });
  }

  #afterClose(code: number, status: number | undefined, wasStream: boolean): void {
    if (this.#closed) return;
    if (code === TUNNEL_CLOSE.sessionOver) return this.#over('session-over');
    if (wasStream) return undefined;
    // The relay may have paired or replaced what we lost without our having heard of it: then the other token is the good one.
    if (status === 401 && !this.#spendToken()) return this.#over('token-refused');
    const delayMs = status === 401 ? 0 : backoffMs(this.#failures, this.#options.random(), BACKOFF);
    this.#failures += 1;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.after(delayMs, () => this.#standBy());
  }

  /** One more stream may come, though not as fast as the other end can make them: each is a process and two entries of audit. */
  #next(): void {
    if (this.#closed || this.#standby !== undefined || this.#open >= this.#options.streams) return;
    const { clock } = this.#options;
    const rate = this.#options.rate();
    if (this.#pace.take(clock.monotonicMs(), rate)) return this.#standBy();
    this.#retry?.cancel();
    this.#retry = clock.after(rate.everyMs, () => this.#next());
  }

  #over(reason: 'session-over' | 'token-refused'): void {
    this.close();
    this.#events.onOver(reason);
  }

  /** @returns false if there is no other. */
  #spendToken(): boolean {
    if (this.#nextToken === undefined) return false;
    this.#token = this.#nextToken;
    this.#nextToken = undefined;
    return true;
  }

  #everySecond(): void {
    this.#tick = this.#options.clock.after(TICK_MS, () => {
      for (const end of this.#ends) end.tick();
      this.#everySecond();
    });
  }
}

function readText(data: Buffer): TunnelAttached | TunnelPaired | undefined {
  try {
    const value = parseFrame(data.toString(), TUNNEL_FRAME_BYTES) as { type?: unknown };
    return value.type === 'attached'
      ? check<TunnelAttached>(isAttached, value)
      : check<TunnelPaired>(isPaired, value);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return undefined;
  }
}
