import type { Lane, LedgerEntry } from '@bowline/messages';
import type { CompactionLimits } from '../compaction.ts';
import type { CommitResult, DurableQueue, LaneState, QueueOptions, WriteBatch } from '../queue.ts';
import { openQueue } from '../open-queue.ts';
import type { ModelLimits } from './model.ts';
import { snapshotOf, type Snapshot } from './snapshot.ts';

/** What the clocks of the device show at this moment. */
export interface Clocks {
  wallMs: number;
  monotonicMs: number;
  bootId: string;
  serverMs?: number;
}

export interface Burst {
  /** `stored`, `duplicate`, or the code of the error. */
  answers: string[];
  results: (CommitResult | undefined)[];
  lanes: Record<Lane, LaneState>;
  ledger: Record<Lane, LedgerEntry>;
}

/** It answered that it could not. */
export class Failed extends Error {
  readonly code: string;

  constructor(code: string, detail = code) {
    super(detail);
    this.code = code;
  }
}

/** Any file is worth it. */
export const ALWAYS: CompactionLimits = { smallestFile: 0, factor: 0, largestContent: Infinity };

/** Whatever has the store open. All of a store's life goes through it, so that it can be killed amid anything. */
export interface Host {
  open(clocks: Clocks): Promise<void>;
  /** Hands in all of them in one turn of the event loop: they become one transaction. */
  burst(batches: readonly WriteBatch[], clocks: Clocks): Promise<Burst>;
  renew(): Promise<void>;
  compact(): Promise<void>;
  snapshot(): Promise<Snapshot>;
  close(): Promise<void>;
}

/** In this process. */
export class LocalHost implements Host {
  readonly #folder: string;
  readonly #limits: ModelLimits;
  #clocks: Clocks | undefined;
  #queue: DurableQueue | undefined;

  constructor(folder: string, limits: ModelLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async open(clocks: Clocks): Promise<void> {
    this.#clocks = clocks;
    this.#queue = await openQueue({
      folder: this.#folder,
      ...this.#limits,
      ...clocksOf(() => this.#clocks ?? clocks),
      bootId: clocks.bootId,
    });
  }

  async burst(batches: readonly WriteBatch[], clocks: Clocks): Promise<Burst> {
    this.#clocks = clocks;
    return burst(this.#opened, batches);
  }

  renew(): Promise<void> {
    return this.#opened.renewEpoch();
  }

  compact(): Promise<void> {
    return this.#opened.compact(ALWAYS);
  }

  async snapshot(): Promise<Snapshot> {
    return snapshotOf(this.#opened);
  }

  async close(): Promise<void> {
    await this.#queue?.close();
    this.#queue = undefined;
  }

  get #opened(): DurableQueue {
    if (this.#queue === undefined) throw new RangeError('the store is not open');
    return this.#queue;
  }
}

/** Options of a store that goes by these clocks. */
export const clocksOf = (now: () => Clocks): Pick<QueueOptions, 'wallMs' | 'monotonicMs' | 'serverMs'> => ({
  wallMs: () => now().wallMs,
  monotonicMs: () => now().monotonicMs,
  serverMs: () => now().serverMs,
});

export async function burst(queue: DurableQueue, batches: readonly WriteBatch[]): Promise<Burst> {
  const results = await Promise.allSettled(batches.map((batch) => queue.commit(batch)));
  return {
    answers: results.map((result) => {
      if (result.status === 'fulfilled') return result.value.duplicate ? 'duplicate' : 'stored';
      return String((result.reason as { code?: string }).code ?? result.reason);
    }),
    results: results.map((result) => (result.status === 'fulfilled' ? result.value : undefined)),
    lanes: queue.lanes(),
    ledger: queue.ledger(),
  };
}
