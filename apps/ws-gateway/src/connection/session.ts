import type { DurableQueue } from '@bowline/durable-queue';
import { FrameError, isOrderType, readableId, type Hello, type Lane, type Welcome } from '@bowline/messages';
import { decodeDownlink, type DownlinkMessage } from '@bowline/messages/downlink';
import { ContractError, InternalError } from '@bowline/runtime/errors';
import type { Clock, Logger, ServerClock, Timer } from '@bowline/runtime';
import type { RawData, WebSocket } from 'ws';
import { AckTracker, isLane } from '../ack-tracker.ts';
import type { Counters } from '../counters.ts';
import type { EventReporter } from '../event-reporter.ts';
import type { IncomingOrder } from '../dispatcher/dispatcher.ts';
import { OutgoingQueue } from '../outgoing-queue.ts';
import { liveFrame } from '../sender/new-message.ts';
import { ReplayPace } from '../sender/replay-offline.ts';
import { heartbeatOf } from '../sender/send-heartbeat.ts';
import type { LinkStage } from './connection-state.ts';
import { Heartbeat } from './heartbeat.ts';
import { culprit, sendsSingly, type PoisonWatch, type Suspect } from './poison.ts';
import type { LinkEnd } from './reconnect.ts';
import { clampLimits, resume, type LinkLimits } from './resume.ts';
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
/** Frames that wait to be worked off before the socket is told to pause, and when it may go on. */
const INBOX_FULL = 64;
const INBOX_LOW = 16;

/**
 * One link, from the open socket to its end: hello, welcome, resumption, sending, receiving. Owns nothing that outlives
 * it: what was sent and not receipted is in the durable queue, and the next link's hello says so.
 */
export class LinkSession {
  readonly ended: Promise<SessionEnd>;
  readonly #socket: WebSocket;
  readonly #ports: SessionPorts;
  #settle: (end: SessionEnd) => void = () => undefined;
  #stage: LinkStage = 'welcome';
  #closing: SessionEnd | undefined;
  #hello: Hello | undefined;
  #acks: AckTracker | undefined;
  #outgoing: OutgoingQueue | undefined;
  #limits: LinkLimits | undefined;
  #heartbeat: Heartbeat | undefined;
  #watchdog: Watchdog | undefined;
  #welcomeTimer: Timer | undefined;
  #sendTimer: Timer | undefined;
  #receiptTimer: Timer | undefined;
  #receiptSentAtMs = -Infinity;
  #inbox: Promise<void> = Promise.resolve();
  #waiting = 0;
  #settingAside = false;

  constructor(socket: WebSocket, ports: SessionPorts) {
    this.#socket = socket;
    this.#ports = ports;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
    socket.on('message', (data, isBinary) => this.#heard(data, isBinary));
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
    return this.#outgoing !== undefined && this.#closing === undefined;
  }

  /** Sends what the window takes; called whenever something new is stored or receipted. */
  pump(): void {
    const { clock } = this.#ports;
    if (!this.online || this.#outgoing === undefined || this.#settingAside) return;
    this.#sendTimer?.cancel();
    for (;;) {
      const next = this.#outgoing.next(clock.monotonicMs());
      if (next.kind === 'frame') {
        const { data, ...frame } = next.frame;
        this.#socket.send(data, { binary: false });
        this.#acks?.sent({ ...frame, bytes: data.length }, clock.monotonicMs());
        continue;
      }
      if (next.kind === 'too-large') this.#tooLarge(next);
      else if (next.retryInMs !== undefined) this.#sendTimer = clock.after(next.retryInMs, () => this.pump());
      return;
    }
  }

  /** What of this link the server may have choked on. */
  suspects(namedId: string | undefined): { named: Suspect | undefined; earliest: Suspect | undefined } {
    const frames = this.#acks?.unreceipted() ?? [];
    const [first] = frames;
    const named = frames
      .flatMap(({ lane, fromSeq, messages }) =>
        this.#ports.queue.read(lane, fromSeq - 1, { messages, bytes: Infinity }),
      )
      .find(({ id }) => id === namedId);
    return { named, earliest: first === undefined ? undefined : { lane: first.lane, seq: first.fromSeq } };
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
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Frames are worked off one at a time and in order; a server that floods us is held back by its socket. */
  #heard(data: RawData, isBinary: boolean): void {
    this.#watchdog?.heard();
    this.#waiting += 1;
    if (this.#waiting === INBOX_FULL) this.#socket.pause();
    this.#inbox = this.#inbox
      .then(() => (this.#closing === undefined ? this.#work(data, isBinary) : undefined))
      .catch((cause: unknown) => this.#unexpected(cause))
      .finally(() => {
        this.#waiting -= 1;
        if (this.#waiting === INBOX_LOW && this.#socket.isPaused) this.#socket.resume();
      });
  }

  async #work(data: RawData, isBinary: boolean): Promise<void> {
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
      if (this.#outgoing === undefined) return;
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
    if (this.#outgoing === undefined) {
      counters.add('downlink.before-welcome'); // anything earlier is ignored and not stored (protocol, section 3)
      return;
    }
    switch (message.type) {
      case 'heartbeat':
        this.#ports.serverClock.told(message.payload.serverTime);
        this.#heartbeat?.answered(message.payload.re);
        return this.#receipted(message.payload.received);
      case 'receipt': {
        const { orders: _, ...lanes } = message.payload.lanes;
        return this.#receipted(lanes);
      }
      case 'reject': {
        const { id, code, detail, retryable } = message.payload;
        counters.add('uplink.rejected');
        this.#ports.log.error({ id, code, detail }, 'the server rejected a message');
        if (id !== null && retryable !== true) {
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

  async #receipted(lanes: Partial<Record<Lane, number>>): Promise<void> {
    const { queue, clock, counters, log } = this.#ports;
    const receipts: Partial<Record<Lane, number>> = {};
    for (const [lane, seq] of Object.entries(lanes)) {
      if (!isLane(lane) || seq === undefined || this.#acks === undefined) continue;
      const verdict = this.#acks.receipted(lane, seq, clock.monotonicMs());
      if (verdict === 'beyond') {
        counters.add('uplink.receipt-beyond');
        log.error({ lane, seq, sentUpTo: this.#acks.sentUpTo(lane) }, 'receipt above what was sent: ignored');
        await this.#ports.events.report('receipt-beyond', 'error', { lane, seq });
      } else if (verdict === 'progress') receipts[lane] = seq;
    }
    if (Object.keys(receipts).length === 0) return;
    await this.#ports.events.unlessRefused(queue.commit({ receipts }), 'receipts');
    if (receipts.results !== undefined) await this.#ports.retryParked();
    this.pump();
  }

  // ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #welcome(welcome: Welcome): Promise<void> {
    const { queue, clock, serverClock, random, limits } = this.#ports;
    if (this.#hello === undefined || this.#outgoing !== undefined) return;
    this.#welcomeTimer?.cancel();
    serverClock.told(welcome.serverTime);

    const verdict = resume(this.#hello, welcome);
    if (verdict.kind === 'restored') {
      const { lane } = verdict;
      const facts = { lane, received: welcome.received[lane], next: this.#hello.lanes[lane].next };
      await this.#ports.events.report('store-restored', 'error', facts);
      await queue.renewEpoch();
      this.#end(1000, {
        end: { kind: 'resume-anew' },
        code: 'store-restored',
        message: `the server has more of lane ${lane} than this store ever sent: it was restored from an older state`,
      });
      return;
    }
    await queue.commit({
      receipts: verdict.receipts,
      ...(verdict.newServerEpoch ? { downlink: { received: 0, serverEpoch: welcome.serverEpoch } } : {}),
    });
    if (this.#closing !== undefined) return;

    const poison = culprit(this.#ports.poison, welcome.received);
    if (poison !== undefined)
      await this.#setAside(poison, 'corrupt', 'the server closed the link on it three times');
    if (this.#closing !== undefined) return;

    const linkLimits = clampLimits(welcome);
    const acks = new AckTracker(verdict.sentUpTo);
    this.#limits = linkLimits;
    this.#acks = acks;
    this.#outgoing = new OutgoingQueue(
      queue,
      acks,
      linkLimits,
      new ReplayPace(linkLimits.replayPerSecond, clock.monotonicMs()),
      sendsSingly(this.#ports.poison) ? 1 : Infinity,
    );
    this.#stage = 'online';
    this.#ports.onWelcome(welcome);

    this.#heartbeat = new Heartbeat({
      clock,
      periodMs: linkLimits.heartbeatMs,
      send: () => this.#sendHeartbeat(),
    });
    this.#heartbeat.start(random());
    this.#watchdog = new Watchdog({
      clock,
      limits,
      stalledMs: () => acks.stalledMs(clock.monotonicMs()),
      act: (what) => this.#alarmed(what),
    });
    this.#watchdog.start();
    this.pump();
  }

  #sendHeartbeat(): string {
    const { queue, clock } = this.#ports;
    const payload = heartbeatOf(queue, {
      uptimeSeconds: this.#ports.uptimeSeconds(),
      apps: this.#ports.apps(),
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
    this.#finish({
      end: { kind: 'failed' },
      stage: this.#stage,
      code: 'silent',
      message: 'the server went silent',
    });
    this.#socket.terminate();
  }

  /** Above the server's largest frame (protocol, section 3). Nothing else is sent until that is on disk. */
  #tooLarge({ lane, seq, bytes }: Suspect & { bytes: number }): void {
    const detail = `${bytes} bytes; the server takes frames of ${this.#limits?.frameBytes} bytes`;
    this.#settingAside = true;
    this.#setAside({ lane, seq }, 'too-large', detail)
      .then(() => {
        this.#settingAside = false;
        this.#acks?.skipped(lane, seq);
        this.pump();
      })
      .catch((cause: unknown) => this.#unexpected(cause));
  }

  /** A message that can never be delivered: a dead letter with a `gap`, where an operator sees it. */
  async #setAside({ lane, seq }: Suspect, reason: 'too-large' | 'corrupt', detail: string): Promise<void> {
    const { queue, counters, log, events } = this.#ports;
    counters.add(`uplink.${reason}`);
    log.error({ lane, seq, reason, detail }, 'message set aside as a dead letter');
    await events.unlessRefused(queue.commit({ setAside: [{ lane, seq, reason, detail }] }), 'set aside');
  }

  // ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #violation(closeCode: number, { code, message }: { code: string; message: string }): void {
    this.#end(closeCode, { end: { kind: 'closed', code: closeCode }, code, message });
  }

  #onError(error: Error): void {
    const code = 'code' in error ? String(error.code) : 'socket-error';
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#ports.counters.add('downlink.refused.too-large');
    this.#closing ??= { end: { kind: 'failed' }, stage: this.#stage, code, message: error.message };
  }

  #onClose(code: number, reason: Buffer): void {
    const { id, retryAfterMs } = parseReason(reason);
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
    this.#closing ??= end;
    for (const timer of [this.#welcomeTimer, this.#sendTimer, this.#receiptTimer]) timer?.cancel();
    this.#heartbeat?.stop();
    this.#watchdog?.stop();
    // What was being worked off is finished first, so that nothing of this link reaches the store after its end.
    void this.#inbox.then(() => this.#settle(this.#closing ?? end));
  }

  /** A store that fails, or a bug of ours: the process must not go on half alive. */
  #unexpected(cause: unknown): void {
    throw new InternalError('link-failed', 'working off a frame failed', { cause });
  }
}

const CLOSE_GRACE_MS = 2000;

/** The reason of a close is empty or JSON of at most 123 bytes (protocol, section 6). */
export function parseReason(reason: Buffer): { id?: string; retryAfterMs?: number } {
  if (reason.length === 0) return {};
  try {
    const value: unknown = JSON.parse(reason.toString());
    const id = readableId(value);
    const ms =
      typeof value === 'object' && value !== null && 'retryAfterMs' in value ? value.retryAfterMs : undefined;
    return {
      ...(id === null ? {} : { id }),
      ...(typeof ms === 'number' && ms >= 0 ? { retryAfterMs: ms } : {}),
    };
  } catch {
    return {}; // words for people: nothing in them for us
  }
}
