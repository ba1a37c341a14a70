import type { DurableQueue } from '@bowline/durable-queue';
import type { Event } from '@bowline/messages';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Clock, Logger } from '@bowline/runtime';
import type { Counters } from './counters.ts';
import { newEvent } from './sender/new-message.ts';

/** What the gateway itself has to say to the cloud, and writes of its own that a full store may refuse without harm. */
export class EventReporter {
  readonly #ports: { queue: DurableQueue; clock: Clock; counters: Counters; log: Logger };

  constructor(ports: { queue: DurableQueue; clock: Clock; counters: Counters; log: Logger }) {
    this.#ports = ports;
  }

  /** Durable on the `events` lane; an event that finds no room is counted and logged, never a reason to fail. */
  async report(kind: string, severity: Event['severity'], data: Record<string, unknown>): Promise<void> {
    const { queue, clock } = this.#ports;
    const event = newEvent(kind, severity, data, clock.wallMs());
    await this.unlessRefused(queue.commit({ enqueue: [{ lane: 'events', messages: [event] }] }), kind);
  }

  /** @returns whether the write was done; a refusal (full disk, full lane) is counted and logged. */
  async unlessRefused(write: Promise<unknown>, what: string): Promise<boolean> {
    try {
      await write;
      return true;
    } catch (error) {
      if (!(error instanceof RejectedError) && !(error instanceof TransientError)) throw error;
      this.#ports.counters.add(`store.refused.${error.code}`);
      this.#ports.log.error({ code: error.code, what }, 'the store refused a write of the gateway itself');
      return false;
    }
  }
}
