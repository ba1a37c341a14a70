import type { Device, Order, StoredEvent, TelemetryNews } from '@bowline/messages';

/** What the server tells those who watch, as it happens. */
export interface NewsByKind {
  device: Device;
  order: Order;
  telemetry: TelemetryNews;
  event: StoredEvent;
}
export type NewsKind = keyof NewsByKind;
export type News = { [K in NewsKind]: { kind: K; body: NewsByKind[K] } }[NewsKind];

export const NEWS_KINDS: readonly NewsKind[] = ['device', 'order', 'telemetry', 'event'];

/** What a subscriber wants to hear; default everything. */
export interface Interest {
  deviceId?: string;
  kinds?: ReadonlySet<NewsKind>;
}

interface Subscriber extends Interest {
  hear: (news: News) => void;
}

/** Publish and subscribe inside the process. What nobody watches is never built. */
export class NewsDesk {
  readonly #subscribers = new Set<Subscriber>();

  /** @returns ends the subscription. */
  subscribe(hear: (news: News) => void, interest: Interest = {}): () => void {
    const subscriber = { ...interest, hear };
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  publish<K extends NewsKind>(kind: K, deviceId: string, make: () => NewsByKind[K]): void {
    let news: News | undefined;
    for (const subscriber of this.#subscribers) {
      if ((subscriber.deviceId ?? deviceId) !== deviceId || subscriber.kinds?.has(kind) === false) continue;
      news ??= { kind, body: make() } as News;
      subscriber.hear(news);
    }
  }
}
