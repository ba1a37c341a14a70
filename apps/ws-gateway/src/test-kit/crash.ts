import type { DurableQueue, WriteBatch } from '@bowline/durable-queue';

/** Where everything stops at once: before or after the n-th durable write of all that belongs to one life. */
export interface Crash {
  at: number;
  before: boolean;
}

/** What nobody lives to see. */
export const never = () => new Promise<never>(() => undefined);

/** Counts the durable writes of one life within this process, and ends it at `crash`: nothing goes on behind its last write. */
export class MortalLife {
  readonly #crash: Crash | undefined;
  readonly #died = Promise.withResolvers<void>();
  writes = 0;
  dead = false;

  constructor(crash: Crash | undefined) {
    this.#crash = crash;
  }

  get died(): Promise<void> {
    return this.#died.promise;
  }

  async durably<T>(write: () => T | Promise<T>): Promise<T> {
    if (this.dead) return never();
    this.writes += 1;
    const isLast = this.writes === this.#crash?.at;
    if (isLast && this.#crash?.before === true) return this.#die();
    const result = await write();
    // Another write may have been the last one meanwhile.
    return isLast || this.dead ? this.#die() : result;
  }

  #die(): Promise<never> {
    this.dead = true;
    this.#died.resolve();
    return never();
  }
}

/** The same store, with its commits done otherwise. */
export function withCommits(
  opened: DurableQueue,
  commit: (batch: WriteBatch) => ReturnType<DurableQueue['commit']>,
): DurableQueue {
  const queue = Object.create(opened, { commit: { value: commit } }) as DurableQueue;
  // Reads that go by the object's private fields.
  for (const name of ['order', 'unfinishedOrders', 'config', 'downlink', 'meta'] as const) {
    Object.defineProperty(queue, name, { value: (opened[name] as () => unknown).bind(opened) });
  }
  return queue;
}
