import type { Clock } from '@bowline/runtime/clock';
import { orderFrame } from './frames.ts';
import type { LinkServices } from './services.ts';

/** What the device allows to be in flight to it, from its hello. */
export interface DownlinkLimits {
  frameBytes: number;
  inflightMessages: number;
}

/** The server's own bound, whatever the device allows. */
const MAX_INFLIGHT = 64;

/** Sends a device's orders in order of their seq, no more at a time than the device allows. */
export class OrderSender {
  readonly #deviceId: string;
  readonly #services: LinkServices;
  readonly #clock: Clock;
  readonly #limits: DownlinkLimits;
  readonly #send: (text: string) => void;
  #sentUpTo: number;
  #receiptedUpTo: number;
  /** Seqs in flight, ascending. */
  #inflight: number[] = [];
  #progressMs: number;

  constructor(
    services: LinkServices,
    link: {
      deviceId: string;
      receiptedUpTo: number;
      limits: DownlinkLimits;
      send: (text: string) => void;
    },
  ) {
    this.#services = services;
    this.#clock = services.clock;
    this.#deviceId = link.deviceId;
    this.#limits = link.limits;
    this.#send = link.send;
    this.#sentUpTo = link.receiptedUpTo;
    this.#receiptedUpTo = link.receiptedUpTo;
    this.#progressMs = this.#clock.monotonicMs();
  }

  /** Sends what there is and has room. */
  pump(): void {
    const { orders } = this.#services;
    const room = Math.min(this.#limits.inflightMessages, MAX_INFLIGHT) - this.#inflight.length;
    if (room <= 0) return;
    for (const order of orders.waiting(this.#deviceId, this.#sentUpTo, room)) {
      const text = orderFrame(order);
      this.#sentUpTo = order.seq;
      const bytes = Buffer.byteLength(text);
      if (bytes > this.#limits.frameBytes) {
        const message = `the frame has ${bytes} bytes, the device takes ${this.#limits.frameBytes}`;
        orders.giveUp(order, { code: 'too-large', message });
        continue;
      }
      if (this.#inflight.length === 0) this.#progressMs = this.#clock.monotonicMs();
      this.#inflight.push(order.seq);
      this.#send(text);
      orders.sent(order);
    }
  }

  /** @returns false if the device receipts what was never sent. */
  receipted(seq: number): boolean {
    if (seq > this.#sentUpTo) return false;
    if (seq <= this.#receiptedUpTo) return true;
    const { orders, identity } = this.#services;
    this.#receiptedUpTo = seq;
    this.#progressMs = this.#clock.monotonicMs();
    this.#inflight = this.#inflight.filter((sent) => sent > seq);
    orders.receipted(this.#deviceId, identity.serverEpoch, seq);
    this.pump();
    return true;
  }

  /** How long something has been in flight without a receipt, milliseconds. */
  stalledMs(): number {
    return this.#inflight.length === 0 ? 0 : this.#clock.monotonicMs() - this.#progressMs;
  }

  /** The device ended the link over something that it could not read: perhaps over the first that it has not receipted. */
  blame(): void {
    const [first] = this.#inflight;
    if (first !== undefined) this.#services.orders.blame(this.#deviceId, first);
  }
}
