import { appendFileSync, existsSync, statSync, truncateSync } from 'node:fs';
import type { HubClient } from '@bowline/ipc';
import type { Event } from '@bowline/messages';
import { readFileIfPresent, retry, type Clock, type Logger } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';

export interface OutboxPorts {
  client: Pick<HubClient, 'enqueue'>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** The app ends: what waits for the gateway is left to the next life. */
  signal: AbortSignal;
}

/** An event on its way to the gateway; the same id however often it is sent. */
export interface OutgoingEvent {
  id: string;
  type: 'event';
  sentAt: number;
  payload: Event;
}

const MOST_WAITING = 5000;

/**
 * Events that the gateway does not have yet, in their order, one a line in a file: a broker that is killed while the gateway is
 * away has them sent by its next life.
 */
export class EventOutbox {
  readonly #file: string;
  readonly #maxBytes: () => number;
  readonly #ports: OutboxPorts;
  readonly #waiting: OutgoingEvent[];
  #sending: Promise<void> | undefined;

  constructor(file: string, maxBytes: () => number, ports: OutboxPorts) {
    this.#file = file;
    this.#maxBytes = maxBytes;
    this.#ports = ports;
    this.#waiting = leftIn(file);
    this.#send();
  }

  put(event: OutgoingEvent): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#ports.log.warn(
        { kind: event.payload.kind },
        'too many events wait for the gateway: this one is not sent',
      );
      return;
    }
    this.#waiting.push(event);
    try {
      // Before it, too: what a full disk took of another line must not spoil this one.
      const line = `\n${JSON.stringify(event)}\n`;
      const held = existsSync(this.#file) ? statSync(this.#file).size : 0;
      if (held + line.length <= this.#maxBytes())
        appendFileSync(this.#file, line, { mode: 0o600, flag: 'as' });
    } catch (error) {
      // A full disk keeps nobody from hearing of it; a crash before the gateway does would.
      this.#ports.log.warn(
        { error, kind: event.payload.kind },
        'an event waits for the gateway in memory alone',
      );
    }
    this.#send();
  }

  /** Resolves when everything was handed over, or is left because the app ends. */
  async sent(): Promise<void> {
    await this.#sending;
  }

  #send(): void {
    if (this.#sending === undefined && this.#waiting.length > 0) this.#sending = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const { client, clock, signal, log } = this.#ports;
    for (let [event] = this.#waiting; event !== undefined; [event] = this.#waiting) {
      const next = event;
      try {
        await retry(() => client.enqueue([next], { signal }), { clock, signal });
      } catch (error) {
        if (error instanceof CancelledError) break;
        log.warn({ error, kind: next.payload.kind }, 'the gateway did not take an event of the audit');
      }
      this.#waiting.shift();
    }
    this.#sending = undefined;
    // Cut off before this, they go once more, under the same ids.
    if (this.#waiting.length === 0 && existsSync(this.#file)) truncateSync(this.#file);
  }
}

/** What an earlier life left; a line that was cut off was never more than in its memory. */
function leftIn(file: string): OutgoingEvent[] {
  return (readFileIfPresent(file) ?? '').split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as OutgoingEvent];
    } catch {
      return [];
    }
  });
}
