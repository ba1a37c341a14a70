import { setTimeout as sleep } from 'node:timers/promises';
import type { HubClient, NewMessage } from '@bowline/ipc';
import { TransientError } from '@bowline/runtime';
import { v7 as uuidv7 } from 'uuid';
import { DEVICE_ID } from '../demo/layout.ts';
import type { OperatorsApi } from './operators-api.ts';

export const SERIES = 'test.counter';

const SAMPLES_A_CALL = 5;
const SAMPLES_EVERY_MS = 20;
const ORDERS_EVERY_MS = 100;

/**
 * Samples that flow up and orders that flow down until it is stopped. It keeps account of what was accepted: the gateway
 * answered the hand-over of a sample, the server answered an order with 201.
 */
export class Traffic {
  /** Values of the samples that the gateway has accepted. */
  readonly accepted: number[] = [];
  /** Ids of the orders that the server has accepted. */
  readonly orders: string[] = [];
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[];
  #next: number;
  #failure: unknown;

  /** @param first value of the first sample; a second traffic must begin above the first one's values. */
  constructor(hub: HubClient, api: OperatorsApi, first = 0) {
    this.#next = first;
    const loops = [this.#sendSamples(hub), this.#giveOrders(api)];
    this.#loops = loops.map((loop) => loop.catch((error: unknown) => void (this.#failure = error)));
  }

  /** Hands over one sample; returns its value once it was accepted. */
  static async sendOne(hub: HubClient, value: number): Promise<number> {
    await hub.enqueue([telemetry([value])]);
    return value;
  }

  get counts() {
    return { samples: this.accepted.length, orders: this.orders.length };
  }

  /** Throws what ended the traffic against its will. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Returns when what was under way has been answered. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    this.check();
  }

  async #sendSamples(hub: HubClient): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const values = Array.from({ length: SAMPLES_A_CALL }, () => this.#next++);
      try {
        await hub.enqueue([telemetry(values)]);
        this.accepted.push(...values);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error; // refused for now: it was not accepted
      }
      await sleep(SAMPLES_EVERY_MS);
    }
  }

  async #giveOrders(api: OperatorsApi): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        this.orders.push((await api.command(DEVICE_ID, 'ping')).orderId);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // fetch found no server: it was not accepted
      }
      await sleep(ORDERS_EVERY_MS);
    }
  }
}

/** One message; each value is its own moment, since the server keeps one sample a series and moment. */
function telemetry(values: number[]): NewMessage {
  const samples = values.map((value) => ({ series: SERIES, at: 1_700_000_000_000 + value, value }));
  return { id: uuidv7(), type: 'telemetry', sentAt: Date.now(), payload: { samples } };
}
