import type { Lane } from '@bowline/messages';
import type { Writes } from '@bowline/record-store';
import { BowlineError, InternalError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { apply, type ApplyContext, type PreparedBatch } from './apply.ts';
import type { ClockReading } from './age-clock.ts';
import { DamageFound, Draft, type StoredRecords } from './draft.ts';
import { LANES } from './lanes.ts';
import { DROPPING_LANES, dropOverflow, expire } from './overflow.ts';
import type { CommitResult } from './queue.ts';
import { dropDamaged } from './repair.ts';
import type { StoreState } from './state.ts';

/** What the loop needs of the store around it. */
export interface Ground extends ApplyContext {
  stored: () => StoredRecords;
  clock: () => ClockReading;
  /** Resolves when all of it is on disk; rejects if none of it is: RejectedError, or InternalError for the end. */
  write: (writes: Writes, before: StoreState) => Promise<void>;
  /** Called with what was written, before those who wait are told. */
  committed: (writes: Writes) => void;
  /** Called when no transaction is under way. */
  between: () => void;
}

interface Waiting {
  batch: PreparedBatch;
  resolve: (result: CommitResult) => void;
  reject: (error: unknown) => void;
}

type Outcome = { waiting: Waiting } & ({ result: CommitResult } | { error: unknown });

/** Batches of one transaction are taken until they are together as long. */
const GROUP_BYTES = 8 * 2 ** 20;
/** Each lane may turn out damaged, and so may what its repair has to change. */
const MOST_REPAIRS = 2 * LANES.length;

/**
 * Group commit: whatever is handed in while a transaction is being flushed becomes the next one. One transaction is under
 * way at a time, so each starts from a state that is durable.
 */
export class GroupCommit {
  readonly #ground: Ground;
  #state: StoreState;
  /** Whether what is stored may be sent, see DurableQueue.offering. */
  offering = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #failure: InternalError | undefined;
  #closed = false;
  /** Ends when nobody has the store to himself any more. */
  #exclusive: Promise<void> | undefined;
  readonly #damaged = new Set<Lane>();
  /** Age of the store at which a lane is next looked at for messages grown too old; volatile. */
  readonly #expireAt = new Map<Lane, number>();

  constructor(ground: Ground, state: StoreState) {
    this.#ground = ground;
    this.#state = state;
  }

  /** The durable state. */
  get state(): StoreState {
    return this.#state;
  }

  commit(batch: PreparedBatch): Promise<CommitResult> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(storeClosed());
    if (this.#waitingBytes > 0 && this.#waitingBytes + batch.bytes > this.#ground.limits.pendingBytes) {
      return Promise.reject(
        new TransientError('store-busy', 'more is waiting for the disk than memory may hold'),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    this.#waiting.push({ batch, resolve, reject });
    this.#waitingBytes += batch.bytes;
    this.#start();
    return promise;
  }

  /**
   * Runs something that needs the store to itself, between two transactions.
   *
   * @param work gets the durable state; if it replaces the store, it hands the new one's state to `adopt`.
   */
  async exclusive(
    work: (state: StoreState, adopt: (state: StoreState) => void) => Promise<void>,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw storeClosed();
    const before = this.#exclusive;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exclusive = promise;
    await before;
    await this.#running;
    try {
      await work(this.#state, (state) => {
        this.#state = state;
      });
    } finally {
      if (this.#exclusive === promise) this.#exclusive = undefined;
      resolve();
      if (this.#waiting.length > 0) this.#start();
    }
  }

  /** A lane was found damaged while it was read: the next transaction, which starts now, accounts for it. */
  damaged(lane: Lane): void {
    if (this.#failure !== undefined || this.#closed) return;
    this.#damaged.add(lane);
    this.#start();
  }

  /** Looks for messages grown too old even when nothing is handed in. */
  tick(): void {
    if (this.#failure === undefined && !this.#closed) this.#start();
  }

  /** Takes nothing more; resolves when what was handed in is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#exclusive;
    await this.#running;
  }

  #start(): void {
    if (this.#exclusive === undefined) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    do {
      // Lets everything else of this turn of the event loop join.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#runOnce();
      this.#between();
    } while (this.#mayGoOn && (this.#waiting.length > 0 || this.#damaged.size > 0));
    this.#running = undefined;
  }

  #between(): void {
    try {
      this.#ground.between();
    } catch (cause) {
      this.#fail(new InternalError('commit-failed', 'the store cannot be mapped anew', { cause }));
    }
  }

  get #mayGoOn(): boolean {
    return this.#failure === undefined && this.#exclusive === undefined;
  }

  async #runOnce(): Promise<void> {
    const group = this.#takeGroup();
    try {
      const outcomes = await this.#perform(group);
      for (const outcome of outcomes) {
        if ('result' in outcome) outcome.waiting.resolve(outcome.result);
        else outcome.waiting.reject(outcome.error);
      }
    } catch (error) {
      if (error instanceof InternalError) this.#fail(error);
      for (const { reject } of group) reject(error);
    }
  }

  async #perform(group: readonly Waiting[]): Promise<Outcome[]> {
    const { draft, outcomes } = await this.#build(group);
    try {
      await this.#write(draft);
      return outcomes;
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
    }
    // The disk is full, which is known now: what only deletes or reports still goes through, the rest is refused.
    const again = await this.#build(group);
    await this.#write(again.draft);
    return again.outcomes;
  }

  async #write(draft: Draft): Promise<void> {
    try {
      if (!draft.changed) return;
      const writes = draft.seal();
      await this.#ground.write(writes, this.#state);
      this.#state = draft.state;
      this.#ground.committed(writes);
    } catch (error) {
      this.#expireAt.clear(); // what this would have expired is still there
      throw error;
    } finally {
      this.#ground.marks.heldFrom = Number.POSITIVE_INFINITY;
    }
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { batch } of this.#waiting) {
      if (count > 0 && bytes + batch.bytes > GROUP_BYTES) break;
      bytes += batch.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** Damage that turns up meanwhile is accounted for in a transaction of its own; then the build begins anew. */
  async #build(group: readonly Waiting[]): Promise<{ draft: Draft; outcomes: Outcome[] }> {
    for (let round = 0; round < MOST_REPAIRS; round += 1) {
      const draft = this.#newDraft();
      try {
        if (this.#damaged.size > 0) await this.#repair();
        else return { draft, outcomes: this.#buildOn(draft, group) };
      } catch (error) {
        if (!(error instanceof DamageFound)) throw asInternal(error);
        this.#damaged.add(error.lane);
      }
    }
    throw new InternalError(
      'commit-failed',
      'the store is damaged in a way that cannot be mended while it is open',
    );
  }

  #buildOn(draft: Draft, group: readonly Waiting[]): Outcome[] {
    this.#expire(draft);
    const outcomes = group.map((waiting) => this.#applyOne(draft, waiting));
    for (const lane of DROPPING_LANES) {
      dropOverflow(draft, lane, this.#ground.limits.lanes[lane], this.#ground);
    }
    if (this.offering && offer(draft)) draft.changed = true;
    return outcomes;
  }

  async #repair(): Promise<void> {
    const draft = this.#newDraft();
    const lanes = [...this.#damaged];
    try {
      dropDamaged(draft, lanes, this.#ground);
      await this.#write(draft);
    } finally {
      // If this failed, the next reader finds the damage again.
      for (const lane of lanes) this.#damaged.delete(lane);
    }
  }

  #newDraft(): Draft {
    return new Draft(this.#ground.stored(), this.#state, this.#ground.clock());
  }

  #applyOne(draft: Draft, waiting: Waiting): Outcome {
    try {
      return { waiting, result: apply(draft, waiting.batch, this.#ground) };
    } catch (error) {
      if (error instanceof DamageFound || !(error instanceof RejectedError)) throw error;
      return { waiting, error };
    }
  }

  #expire(draft: Draft): void {
    for (const lane of LANES) {
      const { ageMs = 0 } = this.#ground.limits.lanes[lane];
      if (ageMs === 0 || draft.ageMs < (this.#expireAt.get(lane) ?? 0)) continue;
      this.#expireAt.set(lane, expire(draft, lane, ageMs, this.#ground));
    }
  }

  #fail(failure: InternalError): void {
    this.#failure = failure;
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
  }
}

/** Everything of this transaction, too, may be sent as soon as it is on disk. */
function offer({ state: { lanes } }: Draft): boolean {
  let changed = false;
  for (const lane of LANES) {
    const counters = lanes[lane];
    changed ||= counters.offered !== counters.next - 1;
    counters.offered = counters.next - 1;
  }
  return changed;
}

const storeClosed = (): InternalError => new InternalError('store-closed', 'the store is closed');

const asInternal = (error: unknown): BowlineError =>
  error instanceof BowlineError
    ? error
    : new InternalError('commit-failed', 'a transaction could not be built', { cause: error });
