import type { DurableQueue, LaneState } from '@bowline/durable-queue';
import { FrameError, isOrderType, type Hello, type Lane, type Welcome } from '@bowline/messages';
import { decodeDownlink, type DownlinkMessage } from '@bowline/messages/downlink';
import { ContractError } from '@bowline/runtime/errors';
import type { Clock, Logger, ServerClock, Timer } from '@bowline/runtime';
import type { RawData, WebSocket } from 'ws';
import type { ConfigSummary } from '../config-push/config-push.ts';
import type { Counters } from '../counters.ts';
import type { EventReporter } from '../event-reporter.ts';
import type { IncomingOrder } from '../dispatcher/dispatcher.ts';
import { liveFrame } from '../sender/new-message.ts';
import { heartbeatOf } from '../sender/send-heartbeat.ts';
import { Sender, setAside } from '../sender/sender.ts';
import { parseCloseReason } from './close-reason.ts';
import type { LinkStage } from './connection-state.ts';
import { Heartbeat } from './heartbeat.ts';
import { Inbox } from './inbox.ts';
import { atWelcome, culprit, sendsSingly, type PoisonWatch, type SuspectFrame } from './poison.ts';
import type { LinkEnd } from './reconnect.ts';
import { clampLimits, resume } from './resume.ts';
import { Watchdog, type WatchdogLimits, type WatchdogVerdict } from './watchdog.ts';

export interface SessionPorts {
  queue: DurableQueue;
  clock: Clock;
  serverClock: ServerClock;
  random: () => number;
  log: Logger;
  counters: Counters;
  events: EventReporter;
  limits: WatchdogLimits & { welcomeDeadlineMs: number; frameBytes: number };
  /** Framing closes so far: what to set aside, and whether to send one message a frame. */
  poison: PoisonWatch;
  /** The hello of this link, made when it is sent. */
  hello(): Hello;
  uptimeSeconds(): number;
  /** State of each app, for the heartbeat. */
  apps(): Record<string, string>;
  /** What is in force, for hello and heartbeat. */
  configuration(): ConfigSummary;
  receive(order: IncomingOrder): Promise<void>;
  retryParked(): Promise<void>;
  onWelcome(welcome: Welcome): void;
}

export interface SessionEnd {
  end: LinkEnd;
  /** If the server closed: the message that its reason named. */
  namedId?: string;
  stage: LinkStage;
  code: string;
  message: string;
}

/** Receipts for orders go out at most this often (protocol, section 4). */
const RECEIPT_EVERY_MS = 100;
const CLOSE_GRACE_MS = 2000;

/**
 * One link, from the open socket to its end: hello, welcome, resumption, sending, receiving. Owns nothing that outlives
 * it: what was sent and not receipted is in the durable queue, and the next link's hello says so.
 */
export class LinkSession {
  readonly ended: Promise<SessionEnd>;
  readonly #socket: WebSocket;
  readonly #ports: SessionPorts;
  #poison: PoisonWatch;
  readonly #inbox: Inbox;
  #settle: (end: SessionEnd) => void = () => undefined;
  #stage: LinkStage = 'welcome';
  #closing: SessionEnd | undefined;
  #hello: Hello | undefined;
  /** As it was when the hello was made. */
  #offered: Partial<Record<Lane, number>> = {};
  /** There from the welcome on. */
  #sender: Sender | undefined;
  #heartbeat: Heartbeat | undefined;
  #watchdog: Watchdog | undefined;
  /** What the server takes, once it has said so. */
  #frameBytes = Infinity;
  #hasDropped = false;
  #welcomeTimer: Timer | undefined;
  #receiptTimer: Timer | undefined;
  #receiptSentAtMs = -Infinity;

  constructor(socket: WebSocket, ports: SessionPorts) {
    this.#socket = socket;
    this.#ports = ports;
    this.#poison = ports.poison;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
    this.#inbox = new Inbox(socket, (data, isBinary) => this.#work(data, isBinary));
    socket.on('message', (data, isBinary) => {
      this.#watchdog?.heard();
      this.#inbox.put(data, isBinary);
    });
    socket.on('pong', () => this.#watchdog?.heard());
    socket.on('ping', () => this.#watchdog?.heard());
    socket.on('error', (error) => this.#onError(error));
    socket.on('close', (code, reason) => this.#onClose(code, reason));
  }

  start(): void {
    const { clock, limits } = this.#ports;
    if (this.#socket.protocol === '') {
      this.#end(4406, {
        end: { kind: 'closed', code: 4406 },
        code: 'no-common-version',
        message: 'no subprotocol agreed',
      });
      return;
    }
    this.#hello = this.#ports.hello();
    this.#offered = offeredOf(this.#ports.queue.lanes());
    this.#sendLive(liveFrame('hello', this.#hello, clock.wallMs()).text);
    this.#welcomeTimer = clock.after(limits.welcomeDeadlineMs, () =>
      this.#end(4408, {
        end: { kind: 'failed' },
        code: 'no-welcome',
        message: `no welcome within ${limits.welcomeDeadlineMs} ms`,
      }),
    );
  }

  get roundTripMs(): number | undefined {
    return this.#heartbeat?.roundTripMs;
  }

  get online(): boolean {
    return this.#sender !== undefined && this.#closing === undefined;
  }

  /** Something new is in the outbox. */
  pump(): void {
    if (this.online) this.#sender?.pump();
  }

  /** Framing closes so far, as this link's welcome has them. */
  get poison(): PoisonWatch {
    return this.#poison;
  }

  /** What of this link the server may have choked on. */
  suspects(namedId: string | undefined): readonly SuspectFrame[] {
    return this.#sender?.suspects(namedId) ?? [];
  }

  /** A live frame without seq, such as an order's progress; dropped when the link is not up. */
  sendLive(text: string): void {
    if (this.online) this.#sendLive(text);
  }

  /** Is anybody there? Asked when something around the link changed; silence ends it much sooner than usual. */
  probe(): void {
    if (this.online) this.#watchdog?.probe();
  }

  /** Ends the link from our side; the server sees `code`. */
  close(code: number, message: string): void {
    this.#end(code, { end: { kind: 'closed', code }, code: 'closed-by-us', message });
  }

  #sendLive(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const bytes = Buffer.byteLength(text);
    if (bytes <= this.#frameBytes) return this.#socket.send(text);
    // The server would end the link over it, and over the next one again (1009).
    const { counters, log } = this.#ports;
    counters.add('uplink.live-too-large');
    if (!this.#hasDropped)
      log.warn(
        { bytes, frameBytes: this.#frameBytes },
        'live messages above the frame of the server are dropped',
      );
    this.#hasDropped = true;
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #work(data: RawData, isBinary: boolean): Promise<void> {
    if (this.#closing !== undefined) return; // after its close a side stores nothing more from that link
    if (isBinary)
      return this.#violation(1003, { code: 'binary-frame', message: 'the server sent a binary frame' });
    const text = data.toString();
    let message: DownlinkMessage;
    try {
      message = decodeDownlink(text, this.#ports.limits.frameBytes);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      return this.#refuse(error);
    }
    await this.#handle(message);
  }

  /** Bad input is refused and counted (invariant 6); only what breaks the framing ends the link (protocol, section 1). */
  async #refuse(error: ContractError): Promise<void> {
    const { counters, log, clock } = this.#ports;
    counters.add(`downlink.refused.${error.code}`);
    log.warn({ code: error.code, detail: error.message }, 'refused a frame of the server');
    if (error.code === 'broken-json' || error.code === 'too-deep') return this.#violation(1007, error);
    const frame = error instanceof FrameError ? error.frame : undefined;
    if (frame?.type === 'reject') return; // is itself never answered
    const { id, type, seq, lane } = frame ?? {};
    if (
      typeof id === 'string' &&
      type !== undefined &&
      seq !== undefined &&
      (lane === 'orders' || isOrderType(type))
    ) {
      if (this.#sender === undefined) return;
      return this.#ports.receive({
        orderId: id,
        seq,
        type,
        payload: {},
        fault: { code: error.code, message: error.message },
      });
    }
    const reject = { id: id ?? null, code: error.code, detail: error.message };
    this.#sendLive(liveFrame('reject', reject, clock.wallMs()).text);
  }

  async #handle(message: DownlinkMessage): Promise<void> {
    const { queue, counters } = this.#ports;
    if (message.type === 'welcome') return this.#welcome(message.payload);
    if (this.#sender === undefined) {
      counters.add('downlink.before-welcome'); // anything earlier is ignored and not stored (protocol, section 3)
      return;
    }
    switch (message.type) {
      case 'heartbeat':
        this.#ports.serverClock.told(message.payload.serverTime);
        this.#heartbeat?.answered(message.payload.re);
        return this.#sender.receipted(message.payload.received);
      case 'receipt': {
        const { orders: _, ...lanes } = message.payload.lanes;
        return this.#sender.receipted(lanes);
      }
      case 'reject': {
        const { id, code, detail, retryable } = message.payload;
        counters.add('uplink.rejected');
        this.#ports.log.error({ id, code, detail }, 'the server rejected a message');
        if (retryable === true) return;
        if (id === null) {
          if (this.suspects(undefined).length > 0) this.#unnamedReject(detail);
        } else {
          await this.#ports.events.unlessRefused(
            queue.commit({ rejects: [{ id, code, detail }] }),
            'dead letter',
          );
        }
        return;
      }
      default: {
        const { id, seq, type, payload } = message;
        if (seq !== undefined) return this.#ports.receive({ orderId: id, seq, type, payload });
        counters.add('downlink.refused.no-seq');
        const reject = { id, code: 'invalid', detail: 'an order needs a seq' };
        this.#sendLive(liveFrame('reject', reject, this.#ports.clock.wallMs()).text);
      }
    }
  }

  /** Orders became durable, or came again: says so, at most every 100 ms. */
  receiptOrders(): void {
    const { clock } = this.#ports;
    if (!this.online || this.#receiptTimer !== undefined) return;
    const dueInMs = Math.max(0, this.#receiptSentAtMs + RECEIPT_EVERY_MS - clock.monotonicMs());
    this.#receiptTimer = clock.after(dueInMs, () => {
      this.#receiptTimer = undefined;
      this.#receiptSentAtMs = clock.monotonicMs();
      const lanes = { orders: this.#ports.queue.downlink().received };
      this.sendLive(liveFrame('receipt', { lanes }, clock.wallMs()).text);
    });
  }

  // ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #welcome(welcome: Welcome): Promise<void> {
    const { queue, clock, serverClock, events, random, limits } = this.#ports;
    if (this.#hello === undefined || this.#sender !== undefined) return;
    this.#welcomeTimer?.cancel();
    serverClock.told(welcome.serverTime);

    const verdict = resume(this.#hello, welcome, this.#offered);
    if (verdict.kind === 'restored') {
      const { lane } = verdict;
      const facts = { lane, received: welcome.received[lane], next: this.#hello.lanes[lane].next };
      await events.report('store-restored', 'error', facts);
      if (!(await events.unlessRefused(queue.renewEpoch(), 'new epoch')))
        return this.#storeRefused('a new epoch');
      this.#end(1000, {
        end: { kind: 'resume-anew' },
        code: 'store-restored',
        message: `the server has more of lane ${lane} than this store ever sent: it was restored from an older state`,
      });
      return;
    }
    queue.offering(true);
    const stored = await events.unlessRefused(
      queue.commit({
        receipts: verdict.receipts,
        ...(verdict.newServerEpoch ? { downlink: { received: 0, serverEpoch: welcome.serverEpoch } } : {}),
      }),
      'resumption',
    );
    if (!stored) return this.#storeRefused('where the link stands');
    this.#poison = atWelcome(this.#poison, welcome.received);
    const poison = culprit(this.#poison);
    if (poison !== undefined)
      await setAside(this.#ports, poison, 'corrupt', 'the server closed the link on it three times');
    if (this.#closing !== undefined) return;

    const linkLimits = clampLimits(welcome);
    this.#frameBytes = linkLimits.frameBytes;
    const send = (data: Buffer, taken: () => void) =>
      this.#socket.send(data, { binary: false }, (error) => {
        if (!(error instanceof Error)) taken();
      });
    const unsentBytes = () => this.#socket.bufferedAmount;
    // Where acks were deleted there is room for those of the orders that wait for it.
    const deleted = async (lanes: readonly Lane[]) => {
      if (lanes.includes('results')) await this.#ports.retryParked();
    };
    const perFrame = sendsSingly(this.#poison) ? 1 : Infinity;
    const sender = new Sender(
      { ...this.#ports, send, unsentBytes, deleted },
      linkLimits,
      verdict.sentUpTo,
      perFrame,
    );
    this.#sender = sender;
    this.#stage = 'online';
    this.#ports.onWelcome(welcome);

    const heartbeat = new Heartbeat({
      clock,
      periodMs: linkLimits.heartbeatMs,
      send: () => this.#sendHeartbeat(),
    });
    this.#heartbeat = heartbeat;
    heartbeat.start(random());
    this.#watchdog = new Watchdog({
      clock,
      limits,
      stalledMs: () => sender.stalledMs(),
      missedHeartbeats: () => heartbeat.missed,
      act: (what) => this.#alarmed(what),
    });
    this.#watchdog.start();
    sender.pump();
  }

  /** As a full disk does: there is another attempt after the back-off. */
  #storeRefused(what: string): void {
    const message = `the store refused to write ${what}`;
    this.#end(1013, { end: { kind: 'failed' }, code: 'store-refused', message });
  }

  #sendHeartbeat(): string {
    const { queue, clock } = this.#ports;
    const payload = heartbeatOf(queue, {
      uptimeSeconds: this.#ports.uptimeSeconds(),
      apps: this.#ports.apps(),
      configuration: this.#ports.configuration(),
      roundTripMs: this.#heartbeat?.roundTripMs,
    });
    const { id, text } = liveFrame('heartbeat', payload, clock.wallMs());
    this.#sendLive(text);
    return id;
  }

  #alarmed(what: Exclude<WatchdogVerdict, 'well'>): void {
    if (what === 'ping') return this.#socket.ping();
    this.#ports.counters.add(`link.${what}`);
    if (what === 'stalled') {
      const message = 'something in flight and no receipt: resuming on a new link';
      return this.#end(4408, { end: { kind: 'failed' }, code: 'no-progress', message });
    }
    if (what === 'heartbeats-missed') {
      const message = 'the server answers no heartbeat: resuming on a new link';
      return this.#end(4408, { end: { kind: 'failed' }, code: 'heartbeats-missed', message });
    }
    this.#finish({
      end: { kind: 'failed' },
      stage: this.#stage,
      code: 'silent',
      message: 'the server went silent',
    });
    this.#socket.terminate();
  }

  // ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The server broke the framing: nothing that we sent is to blame. */
  #violation(closeCode: number, { code, message }: { code: string; message: string }): void {
    this.#end(closeCode, { end: { kind: 'failed' }, code, message });
  }

  /**
   * The server refused a frame for good and could not say which message: its lane would stand still for ever. To be found as
   * if the server had closed the link over its framing.
   */
  #unnamedReject(detail: string): void {
    const code = 1002;
    this.#end(code, { end: { kind: 'closed', code }, code: 'unnamed-reject', message: detail });
  }

  #onError(error: Error): void {
    const code = 'code' in error ? String(error.code) : 'socket-error';
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#ports.counters.add('downlink.refused.too-large');
    this.#closing ??= { end: { kind: 'failed' }, stage: this.#stage, code, message: error.message };
  }

  #onClose(code: number, reason: Buffer): void {
    const { id, retryAfterMs } = parseCloseReason(reason);
    const end: LinkEnd = { kind: 'closed', code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    this.#finish(
      this.#closing ?? {
        end,
        stage: this.#stage,
        code: `closed-${code}`,
        message: `the link was closed with ${code}`,
        ...(id === undefined ? {} : { namedId: id }),
      },
    );
  }

  /** Closes politely; a peer that does not answer is cut off, since `close()` on a dead peer takes 30 s. */
  #end(code: number, end: Omit<SessionEnd, 'stage'>): void {
    if (this.#closing !== undefined) return;
    this.#closing = { ...end, stage: this.#stage };
    this.#socket.close(code);
    this.#ports.clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
  }

  #finish(end: SessionEnd): void {
    this.#ports.queue.offering(false);
    this.#closing ??= end;
    this.#welcomeTimer?.cancel();
    this.#receiptTimer?.cancel();
    this.#sender?.stop();
    this.#heartbeat?.stop();
    this.#watchdog?.stop();
    // What was being worked off is finished first, so that nothing of this link reaches the store after its end.
    void this.#inbox.done().then(() => this.#settle(this.#closing ?? end));
  }
}

const offeredOf = (lanes: Record<Lane, LaneState>): Partial<Record<Lane, number>> =>
  Object.fromEntries(Object.entries(lanes).map(([lane, { offered }]) => [lane, offered]));
