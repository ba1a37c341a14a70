import {
  FrameError,
  UPLINK_LANES,
  type DownlinkPayload,
  type DownlinkType,
  type Hello,
  type Lane,
  type Message,
} from '@bowline/messages';
import { checkUplink, decodeUplinkFrame } from '@bowline/messages/uplink';
import { ContractError, TransientError } from '@bowline/runtime/errors';
import { v4 as uuidv4 } from 'uuid';
import type { DurableMessage } from '../uplink/intake.ts';
import { receivedOf } from '../uplink/uplink-state.ts';
import { CLOSE, closeReason } from './close-codes.ts';
import { BackPressure } from './back-pressure.ts';
import { liveFrame } from './frames.ts';
import * as fixed from './link-limits.ts';
import { takeLive, type LiveLink } from './live-messages.ts';
import type { LinkRegistry } from './link-registry.ts';
import { openLink, welcomeOf } from './opening.ts';
import { OrderSender } from './order-sender.ts';
import { ReceiptPacer } from './receipt-pacer.ts';
import { heldVersion, sendTrust } from '../trust/trust-orders.ts';
import type { LinkServices, LinkSocket } from './services.ts';
import { UplinkIntake, type Stored } from './uplink-intake.ts';

type Envelope = Message<string, Record<string, unknown>>;

/** What there is once the welcome is out. */
interface OpenLink {
  intake: UplinkIntake;
  orders: OrderSender;
  receipts: ReceiptPacer;
  /** On disk, by lane. */
  durable: Record<Lane, number>;
}

/** Of one link; how many there were is logged at its end. */
const LOGGED_REFUSALS = 10;
/** The device could not read what we sent (protocol, section 6). */
const FRAMING_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1009]);
/** Two links of one device, both alive within this time, are no reconnect. */
const BOTH_ALIVE_MS = 10_000;

/**
 * The server's end of one link (protocol, sections 2 to 6), apart from the socket: frames go in by {@link received}, time
 * by {@link tick}; what is to be sent goes to a {@link LinkSocket}.
 */
export class LinkSession {
  readonly deviceId: string;
  readonly sessionId = uuidv4();
  readonly #socket: LinkSocket;
  readonly #services: LinkServices;
  readonly #registry: LinkRegistry<LinkSession>;
  readonly #startedMs: number;
  readonly #pressure: BackPressure;
  #phase: 'awaiting-hello' | 'opening' | 'open' | 'draining' | 'closed' = 'awaiting-hello';
  #link: OpenLink | undefined;
  #bootId: string | undefined;
  #heardMs: number;
  #pinged = false;
  #refusals = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(
    deviceId: string,
    socket: LinkSocket,
    services: LinkServices,
    registry: LinkRegistry<LinkSession>,
  ) {
    this.deviceId = deviceId;
    this.#socket = socket;
    this.#services = services;
    this.#registry = registry;
    this.#pressure = new BackPressure(socket, services.limits.inflightBytes);
    this.#startedMs = this.#heardMs = services.clock.monotonicMs();
    registry.enter(this);
  }

  /** A frame came. */
  received(frame: Buffer, isBinary: boolean): void {
    this.heard();
    if (this.#phase === 'closed' || this.#phase === 'draining') return;
    if (isBinary) return this.close(CLOSE.binaryFrame);
    const { frameBytes } = this.#services.limits;
    const limit = this.#phase === 'open' ? frameBytes : Math.min(frameBytes, fixed.FIRST_FRAME_BYTES);
    try {
      const { messages } = decodeUplinkFrame(frame.toString(), limit);
      const [first] = messages;
      if (first === undefined) return;
      if (this.#link !== undefined) this.#take(this.#link, messages, first, frame);
      else if (first.type === 'hello') this.#hello(first);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      this.#refuse(error, frame);
    }
  }

  /** Any sign of life, pongs too. */
  heard(): void {
    this.#heardMs = this.#services.clock.monotonicMs();
    this.#pinged = false;
  }

  /** To be called about once a second. */
  tick(): void {
    if (this.#phase === 'closed') return;
    const now = this.#services.clock.monotonicMs();
    if (this.#phase === 'awaiting-hello' && now - this.#startedMs >= fixed.HELLO_DEADLINE_MS)
      return this.close(CLOSE.timeout);
    // What we do not read is no silence of the device.
    if (this.#pressure.isPaused) this.heard();
    const silentMs = now - this.#heardMs;
    if (silentMs >= fixed.SILENT_AFTER_MS) {
      this.#services.log.info({ deviceId: this.deviceId }, 'link is silent: cut off');
      this.#socket.terminate();
      return this.ended();
    }
    if (silentMs >= fixed.PING_AFTER_MS && !this.#pinged) {
      this.#pinged = true;
      this.#socket.ping();
    }
    if ((this.#link?.orders.stalledMs() ?? 0) >= fixed.STALLED_AFTER_MS) this.close(CLOSE.timeout);
  }

  /** There may be new orders. */
  pump(): void {
    if (this.#phase === 'open') this.#link?.orders.pump();
  }

  /** Ends the link from our side. After this nothing more of it is stored. */
  close(code: number, facts: { id?: string; retryAfterMs?: number } = {}): void {
    if (this.#phase === 'closed') return;
    this.#services.log.info({ deviceId: this.deviceId, code }, 'closing link');
    this.#socket.close(code, closeReason(facts));
    this.ended();
  }

  /** Another link of this device has said hello. */
  supersede(): void {
    this.close(CLOSE.replaced);
  }

  /** Takes nothing more in, receipts what becomes durable, and says when to come back. */
  async drain(retryAfterMs: number): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'draining';
    await this.#lastWrite;
    this.#link?.receipts.flush();
    this.close(CLOSE.restarting, { retryAfterMs });
  }

  /** The socket is gone. @param code the device's, if it was the device that closed. */
  ended(code?: number): void {
    if (this.#phase === 'closed') return;
    if (code !== undefined && FRAMING_CODES.has(code)) this.#link?.orders.blame();
    this.#phase = 'closed';
    this.#link?.receipts.stop();
    if (this.#refusals > LOGGED_REFUSALS)
      this.#services.log.warn(
        { deviceId: this.deviceId, refusals: this.#refusals },
        'frames refused on this link',
      );
    if (this.#registry.release(this)) this.#services.status.wentOffline(this.deviceId);
  }

  #hello(message: Envelope): void {
    if (this.#phase !== 'awaiting-hello') return this.close(CLOSE.timeout);
    const hello = checkUplink(message);
    if (hello.type !== 'hello' || hello.payload.deviceId !== this.deviceId) {
      const { id, type } = message;
      throw new FrameError('invalid', 'deviceId is not that of the URL', {
        id,
        type,
        seq: undefined,
        lane: undefined,
      });
    }
    this.#phase = 'opening';
    // A store that fails ends the process: the rejection is not caught here.
    void this.#open(hello.payload);
  }

  async #open(hello: Hello): Promise<void> {
    this.#bootId = hello.bootId;
    const before = this.#registry.claim(this);
    if (before !== undefined) this.#compare(before);
    const opened = openLink(this.#services, this.deviceId, hello);
    this.#lastWrite = opened;
    const link = await opened;
    if (this.#phase !== 'opening') return;
    this.#link = {
      intake: new UplinkIntake(this.#services, this.deviceId, link.uplink),
      orders: new OrderSender(this.#services, {
        deviceId: this.deviceId,
        receiptedUpTo: link.downlinkReceived,
        limits: hello.limits,
        send: (text) => this.#socket.send(text),
      }),
      receipts: new ReceiptPacer(this.#services.clock, (lanes) => this.#send('receipt', { lanes })),
      durable: receivedOf(link.uplink),
    };
    this.#phase = 'open';
    this.#services.log.info(
      { deviceId: this.deviceId, sessionId: this.sessionId, resumed: link.resumed },
      'link open',
    );
    this.#send('welcome', welcomeOf(this.#services, this.sessionId, link));
    this.pump();
    void this.#catchUpTrust(hello);
  }

  /** A device that was away while a trust bundle was published gets what it lacks. */
  async #catchUpTrust({ capabilities }: Hello): Promise<void> {
    const { trust, orders, identity, log } = this.#services;
    const held = heldVersion(capabilities);
    if (trust === undefined || held === undefined) return;
    try {
      const { deviceId } = this;
      await sendTrust({ orders, trust }, { deviceId, serverEpoch: identity.serverEpoch, held });
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      log.warn({ deviceId: this.deviceId, code: error.code }, 'the trust bundle waits for the next link');
    }
  }

  /** Two boots of one device that are both alive are two devices. */
  #compare(before: LinkSession): void {
    const quietMs = this.#services.clock.monotonicMs() - before.#heardMs;
    if (before.#bootId === this.#bootId || quietMs > BOTH_ALIVE_MS) return;
    const message = 'a second link with another boot id while the first was alive: a clone of the device';
    this.#services.status.alarm(this.deviceId, 'clone', message, { bootIds: [before.#bootId, this.#bootId] });
  }

  #take(link: OpenLink, messages: Envelope[], first: Envelope, frame: Buffer): void {
    if (isDurable(first))
      return this.#stored(link, link.intake.store(messages as DurableMessage[], frame), frame.length);
    const message = checkUplink(first);
    if (message.type === 'hello') return this.close(CLOSE.timeout);
    const send: LiveLink['send'] = (type, payload) => this.#send(type, payload);
    const { deviceId } = this;
    takeLive(this.#services, { deviceId, orders: link.orders, durable: link.durable, send }, message);
  }

  /** Receipts only after the disk has it; a final reject goes before the receipt that passes it. */
  #stored(link: OpenLink, { lane, received, rejects, done }: Stored, bytes: number): void {
    this.#lastWrite = done;
    this.#pressure.add(bytes);
    void done.then(() => {
      this.#pressure.settle(bytes);
      link.durable[lane] = Math.max(link.durable[lane], received);
      if (this.#phase === 'closed') return;
      for (const { message, code, detail } of rejects) this.#send('reject', { id: message.id, code, detail });
      link.receipts.durable(lane, received);
    });
  }

  /** Framing ends the link (section 6); anything else is refused, kept and told. */
  #refuse(fault: ContractError, frame: Buffer): void {
    const { code, message: detail } = fault;
    const { id, type, lane } = fault instanceof FrameError ? fault.frame : NOTHING_READS;
    this.#refusals += 1;
    if (this.#refusals <= LOGGED_REFUSALS)
      this.#services.log.warn({ deviceId: this.deviceId, code, id, type }, `refused a frame: ${detail}`);
    if (code === 'too-large') return this.close(CLOSE.tooLarge);
    if (code === 'broken-json' || code === 'too-deep') return this.close(CLOSE.notJson);
    if (type === 'reject') return;
    const reject = { id, code, detail: detail.slice(0, 4096) };
    if (this.#link === undefined) return this.#send('reject', reject);
    const kept = {
      code,
      detail,
      message: frame.toString(),
      ...(id === null ? {} : { id }),
      ...(type === undefined ? {} : { type }),
    };
    const done = this.#link.intake.refuse(kept);
    this.#lastWrite = done;
    // What comes behind it would be receipted past messages that nobody can name (protocol, section 4).
    const unnamed = type === 'batch' || (id === null && lane !== undefined);
    if (unnamed) this.#phase = 'draining';
    void done.then(() => {
      this.#send('reject', reject);
      if (unnamed) this.close(CLOSE.notJson);
    });
  }

  #send<T extends DownlinkType>(type: T, payload: DownlinkPayload<T>): void {
    if (this.#phase !== 'closed') this.#socket.send(liveFrame(type, payload, this.#services.clock.wallMs()));
  }
}

const NOTHING_READS = { id: null, type: undefined, lane: undefined };

const isDurable = ({ lane, seq }: Envelope): boolean =>
  seq !== undefined && lane !== undefined && (UPLINK_LANES as readonly string[]).includes(lane);
