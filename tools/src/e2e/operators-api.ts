import type { DeadLetter, Device, Order, StoredEvent, StoredSample } from '@bowline/messages';

const PAGE = 1000;

/** What the tests ask of the server as an operator does. */
export class OperatorsApi {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  orders(deviceId: string): Promise<Order[]> {
    return this.#get<{ orders: Order[] }>(`/v1/devices/${deviceId}/orders`).then(({ orders }) => orders);
  }

  /** An order of any type, under an id of the caller's. */
  async give(deviceId: string, order: { orderId: string; type: string; payload: object }): Promise<void> {
    await this.#call(`/v1/devices/${deviceId}/orders`, { method: 'POST', body: JSON.stringify(order) });
  }

  device(deviceId: string): Promise<Device> {
    return this.#get(`/v1/devices/${deviceId}`);
  }

  async command(deviceId: string, name: string): Promise<Order> {
    const body = JSON.stringify({ type: 'command', payload: { name } });
    return (await this.#call(`/v1/devices/${deviceId}/orders`, { method: 'POST', body })) as Order;
  }

  /** A document for all apps of a device. */
  async pushConfig(
    deviceId: string,
    document: { sections: object; version?: number; confirmWithinMs?: number },
  ): Promise<Order> {
    const path = `/v1/devices/${deviceId}/config`;
    return (await this.#call(path, { method: 'POST', body: JSON.stringify(document) })) as Order;
  }

  async cancel(orderId: string): Promise<void> {
    await this.#call(`/v1/orders/${orderId}/cancel`, { method: 'POST', body: '{}' });
  }

  order(orderId: string): Promise<Order> {
    return this.#get(`/v1/orders/${orderId}`);
  }

  async deadLetters(deviceId: string): Promise<DeadLetter[]> {
    return (await this.#get<{ deadLetters: DeadLetter[] }>(`/v1/devices/${deviceId}/dead-letters`))
      .deadLetters;
  }

  /** The newest of a device. */
  async events(deviceId: string, limit: number): Promise<StoredEvent[]> {
    return (await this.#get<{ events: StoredEvent[] }>(`/v1/devices/${deviceId}/events?limit=${limit}`))
      .events;
  }

  /** All samples of a series, in the order of their time. */
  async samples(deviceId: string, series: string): Promise<StoredSample[]> {
    const all: StoredSample[] = [];
    for (;;) {
      const from = (all.at(-1)?.at ?? -1) + 1;
      const query = new URLSearchParams({ series, from: String(from), limit: String(PAGE) });
      const path = `/v1/devices/${deviceId}/telemetry?${query}`;
      const { samples } = await this.#get<{ samples: StoredSample[] }>(path);
      if (samples.length === 0) return all;
      all.push(...samples);
    }
  }

  async #get<T>(path: string): Promise<T> {
    return (await this.#call(path)) as T;
  }

  async #call(path: string, init: RequestInit = {}): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' };
    const response = await fetch(`${this.#url}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  }
}
