import type { HubClient } from '@bowline/ipc';
import type { AuditEntry, Event } from '@bowline/messages';
import { retry, type Clock, type Logger } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { DurableLines, isUnwritable } from './durable-lines.ts';

/** An entry of the journal, and what the server is told of it. */
export interface AuditMessage {
  id: string;
  entry: AuditEntry;
  event: Event;
}

export interface OutboxPorts {
  client: Pick<HubClient, 'enqueue'>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** The app ends: what waits for the gateway is left to the next life. */
  signal: AbortSignal;
}

/** Events that wait for the gateway. */
const MOST_WAITING = 5000;
/** After so many that were taken while others waited, the file is written anew. */
const TIDY_AFTER = 100;

/**
 * What the gateway has not taken yet: on disk before anything else is done with it, then handed over one after the other, in order,
 * also by a later life of this process. One that was taken twice has the same id both times.
 */
export class EventOutbox {
  readonly #lines: DurableLines;
  readonly #ports: OutboxPorts;
  readonly #waiting: AuditMessage[];
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;
  /** Of those in the file. */
  #taken = 0;

  constructor(file: string, ports: OutboxPorts) {
    this.#lines = new DurableLines(file);
    this.#ports = ports;
    this.#waiting = waitingIn(this.#lines.all());
  }

  get waiting(): readonly AuditMessage[] {
    return this.#waiting;
  }

  /** Where the disk has no room for it, it is told all the same, but does not outlive us. */
  put(message: AuditMessage): void {
    if (this.#waiting.length >= MOST_WAITING) {
      const { kind } = message.event;
      this.#ports.log.warn({ kind }, 'too many events wait for the gateway: this one is not sent');
      return;
    }
    this.#waiting.push(message);
    this.#write(JSON.stringify(message));
    this.send();
  }

  /** Hands over what waits. */
  send(): void {
    if (!this.#isSending) this.#sending = this.#sendAll();
  }

  /** Resolves when everything was handed over, or is left to the next life of this app. */
  sent(): Promise<void> {
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    const { client, clock, signal, log } = this.#ports;
    this.#isSending = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { id, event } = next;
      const message = { id, type: 'event' as const, sentAt: event.at, payload: event };
      try {
        await retry(() => client.enqueue([message], { signal }), { clock, signal });
      } catch (error) {
        if (error instanceof CancelledError) return; // the app ends
        log.warn({ error, kind: event.kind }, 'the gateway did not take an event of the audit');
      }
      this.#waiting.shift();
      this.#took(id);
    }
    this.#isSending = false;
  }

  #took(id: string): void {
    this.#taken = this.#waiting.length === 0 ? 0 : this.#taken + 1;
    if (this.#waiting.length === 0) this.#lines.clear();
    else if (this.#taken % TIDY_AFTER !== 0) this.#write(JSON.stringify({ taken: id }));
    else this.#onDisk(() => this.#lines.replace(this.#waiting.map((each) => JSON.stringify(each))));
  }

  #write(line: string): void {
    this.#onDisk(() => this.#lines.append(line));
  }

  #onDisk(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!isUnwritable(error)) throw error;
    }
  }
}

function waitingIn(lines: readonly string[]): AuditMessage[] {
  const waiting = new Map<string, AuditMessage>();
  for (const line of lines) {
    const read = readLine(line);
    if (read === undefined) continue; // damaged: the journal has the entry, and the chain shows the gap
    if ('taken' in read) waiting.delete(read.taken);
    else waiting.set(read.id, read);
  }
  return [...waiting.values()];
}

/** Written by us; only the disk can have changed it. */
function readLine(line: string): AuditMessage | { taken: string } | undefined {
  try {
    const value = JSON.parse(line) as AuditMessage | { taken: string } | null;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
