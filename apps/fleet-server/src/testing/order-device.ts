import { waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { lanes, type Frame, type RawDevice, type RawLink } from './raw-device.ts';

interface Report {
  seq: number;
  id: string;
  orderId: string;
  status: string;
  attempt: number;
}

/** A device that takes orders as the protocol says (section 4): receipts them, knows them again by id, and reports. */
export class OrderDevice {
  readonly raw: RawDevice;
  /** Ids of the orders that had their effect, in order. */
  readonly effects: string[] = [];
  serverEpoch: string | undefined;
  #received = 0;
  #next = 1;
  #unreceipted: Report[] = [];

  constructor(raw: RawDevice) {
    this.raw = raw;
  }

  /** @returns once the welcome was read; orders are taken from then on. */
  async connect(): Promise<RawLink> {
    const first = this.#unreceipted[0]?.seq ?? this.#next;
    const link = this.raw.connect();
    link.socket.on('message', (data: Buffer) => this.#read(link, JSON.parse(data.toString()) as Frame));
    await link.opened;
    link.hello({
      received: this.#received,
      ...(this.serverEpoch === undefined ? {} : { serverEpoch: this.serverEpoch }),
      ...lanes({ results: [first, this.#next] }),
    });
    await link.next('welcome');
    return link;
  }

  /** Waits until all that it has reported is receipted. */
  async settled(): Promise<void> {
    await waitFor(() => this.#unreceipted.length === 0, { what: 'every report to be receipted' });
  }

  #read(link: RawLink, { type, id, seq, payload }: Frame): void {
    if (type === 'welcome')
      this.#welcome(link, payload as { serverEpoch: string; received: { results: number } });
    if (type === 'receipt') this.#delete((payload['lanes'] as { results?: number }).results ?? 0);
    if (type === 'command') this.#order(link, id, Number(seq));
  }

  #welcome(
    link: RawLink,
    { serverEpoch, received }: { serverEpoch: string; received: { results: number } },
  ): void {
    if (serverEpoch !== this.serverEpoch) this.#received = 0;
    this.serverEpoch = serverEpoch;
    this.#delete(received.results);
    for (const report of this.#unreceipted) send(link, report);
  }

  #order(link: RawLink, orderId: string, seq: number): void {
    if (seq > this.#received) {
      this.#received = seq;
      const isKnown = this.effects.includes(orderId);
      if (!isKnown) {
        this.#report(link, orderId, 'received', 0);
        this.#report(link, orderId, 'started', 1);
        this.effects.push(orderId);
      }
      this.#report(link, orderId, 'succeeded', 1);
    }
    link.live('receipt', { lanes: { orders: this.#received } });
  }

  #report(link: RawLink, orderId: string, status: string, attempt: number): void {
    const report = { seq: this.#next, id: uuidv7(), orderId, status, attempt };
    this.#next += 1;
    this.#unreceipted.push(report);
    send(link, report);
  }

  #delete(upTo: number): void {
    this.#unreceipted = this.#unreceipted.filter(({ seq }) => seq > upTo);
  }
}

const send = (link: RawLink, { seq, id, orderId, status, attempt }: Report): void =>
  void link.durable('results', seq, 'ack', { orderId, status, attempt, at: 1 }, id);
