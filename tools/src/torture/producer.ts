import { setTimeout as sleep } from 'node:timers/promises';
import { connectHub, type HubClient } from '@bowline/ipc';
import { AGENT_VERSION, createLogger, systemClock, TransientError } from '@bowline/runtime';
import { v7 as uuidv7 } from 'uuid';

export const SERIES = 'torture.counter';

/** The hub as a program on the device reaches it. */
export const hubVisitor = (folder: string): HubClient =>
  connectHub({
    folder,
    app: 'cli',
    version: AGENT_VERSION,
    orderTypes: [],
    log: createLogger({ app: 'torture', level: 'error' }),
    clock: systemClock,
  });

/** Calls at a time: enough that one batch is always under way behind another. */
const CALLERS = 8;

/** A program on the device that counts upwards and remembers every number that the gateway accepted. */
export class Producer {
  readonly accepted: number[] = [];
  #next = 0;
  readonly #hub: HubClient;
  readonly #stopping = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(hubFolder: string) {
    this.#hub = hubVisitor(hubFolder);
    this.#done = Promise.all(Array.from({ length: CALLERS }, () => this.#count()));
  }

  /** Returns when the last call was answered, so that no outcome is unknown. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
    this.#hub.close();
  }

  async #count(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const value = this.#next;
      this.#next += 1;
      const payload = { samples: [{ series: SERIES, at: 1_700_000_000_000 + value, value }] };
      try {
        await this.#hub.enqueue([{ id: uuidv7(), type: 'telemetry', sentAt: Date.now(), payload }]);
        this.accepted.push(value);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error; // refused for now: it was not accepted
      }
      await sleep(1);
    }
  }
}
