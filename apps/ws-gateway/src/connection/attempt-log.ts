import type { DurableQueue } from '@bowline/durable-queue';
import type { LinkAttempt } from '@bowline/messages/hub';
import type { EventReporter } from '../event-reporter.ts';

/** How many are kept; each has a small value of its own in the store, so that writing one costs one small commit. */
const KEPT = 64;
const LONGEST_MESSAGE = 300;

/** Why the device was dark, readable later with `bowline status --link`, across restarts. */
export class AttemptLog {
  readonly #queue: Pick<DurableQueue, 'meta' | 'commit'>;
  readonly #events: EventReporter;

  constructor(queue: Pick<DurableQueue, 'meta' | 'commit'>, events: EventReporter) {
    this.#queue = queue;
    this.#events = events;
  }

  async add(record: LinkAttempt, meta: Record<string, string> = {}): Promise<void> {
    const count = Number(this.#queue.meta('link.log.count') ?? 0);
    const value = JSON.stringify({ ...record, message: record.message.slice(0, LONGEST_MESSAGE) });
    await this.#events.unlessRefused(
      this.#queue.commit({ meta: { ...meta, [key(count)]: value, 'link.log.count': String(count + 1) } }),
      'log of attempts',
    );
  }

  /** Oldest first. */
  all(): LinkAttempt[] {
    const count = Number(this.#queue.meta('link.log.count') ?? 0);
    const first = Math.max(0, count - KEPT);
    return Array.from({ length: count - first }, (_, index) => this.#queue.meta(key(first + index))).flatMap(
      (value) => (value === undefined ? [] : [JSON.parse(value) as LinkAttempt]),
    );
  }
}

const key = (number: number) => `link.log.${number % KEPT}`;
