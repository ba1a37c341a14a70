import { statSync } from 'node:fs';
import type { Lane, LedgerEntry } from '@bowline/messages';
import { Environment, type EnvironmentOptions, jsonOf, type StoreFiles } from '@bowline/record-store';
import type { Lock } from '@bowline/runtime';
import { InternalError, RejectedError } from '@bowline/runtime/errors';
import type { ClockReading } from './age-clock.ts';
import { compactInto, DEFAULT_COMPACTION, isWorthwhile, type CompactionLimits } from './compaction.ts';
import { readDeadLetters } from './dead-letters.ts';
import { DiskRoom } from './disk-room.ts';
import { DurableWriter } from './durable-writer.ts';
import { GroupCommit } from './group-commit.ts';
import { configKey, metaKey } from './keys.ts';
import { forEachLane, LANES } from './lanes.ts';
import { diskFull, environmentOptions, limitsOf, type Limits } from './limits.ts';
import { numberAnew, type Numbering } from './numbering.ts';
import { readOrder, readRecent, readUnfinished } from './orders.ts';
import { prepareBatch } from './prepare-batch.ts';
import type {
  BatchCut,
  CommitResult,
  DeadLetter,
  DownlinkState,
  DurableQueue,
  JournalEntry,
  LaneState,
  QueueOptions,
  Recovery,
  StoredMessage,
  WriteBatch,
} from './queue.ts';
import { ReadMarks } from './read-marks.ts';
import { Reader } from './reader.ts';
import { renumber } from './rebuild.ts';
import { inNewEpoch, ledgerOf, nextState, stateOnly, type StoreState } from './state.ts';
import { storeClock } from './store-clock.ts';

/**
 * A transaction that was cut off by a crash may have left records behind under the next number: by skipping it, salvage can
 * tell them from what was committed.
 */
const COMMITS_SKIPPED_AT_START = 2;
/** How often messages that grow too old are looked for when nothing else is written, and ballast and file size are seen to. */
const TICK_MS = 60_000;
/** When as much of the file was read, it is mapped anew, so that reading a backlog does not look like a leak. */
const MAPPED_BYTES = 8 * 2 ** 20;

/** A store that {@link openQueue} has found sound and locked. */
export interface OpenedStore {
  options: QueueOptions;
  files: StoreFiles;
  env: Environment;
  state: StoreState;
  lock: Lock;
  recovery: Recovery | undefined;
}

/** An open store: what the other files of this folder do, put together. */
export class Store implements DurableQueue {
  readonly recovery: Recovery | undefined;
  #env: Environment;
  readonly #files: StoreFiles;
  readonly #clock: () => ClockReading;
  readonly #wallMs: () => number;
  readonly #marks: ReadMarks;
  readonly #limits: Limits;
  readonly #commits: GroupCommit;
  readonly #reader: Reader;
  readonly #lock: Lock;
  readonly #room: DiskRoom;
  readonly #writer: DurableWriter;
  readonly #compaction: CompactionLimits;
  readonly #environment: EnvironmentOptions;
  readonly #tick: NodeJS.Timeout;

  constructor({ options, files, env, state, lock, recovery }: OpenedStore) {
    this.recovery = recovery;
    this.#env = env;
    this.#files = files;
    this.#clock = storeClock(options);
    this.#wallMs = options.wallMs;
    this.#marks = new ReadMarks(state);
    this.#lock = lock;
    this.#limits = limitsOf(options);
    this.#room = new DiskRoom(files, () => this.#clock().monotonicMs, options.diskReserveBytes);
    this.#writer = new DurableWriter(() => this.#env, this.#room, files);
    this.#commits = new GroupCommit(
      {
        limits: this.#limits,
        marks: this.#marks,
        wallMs: options.wallMs,
        stored: () => this.#env,
        clock: this.#clock,
        room: this.#room,
        write: (writes, before) => this.#writer.write(writes, before),
        committed: (writes) => this.#reader.forget(writes),
        between: () => this.#forgetPages(),
      },
      state,
    );
    this.#reader = new Reader({
      env: () => this.#env,
      state: () => this.#commits.state,
      marks: this.#marks,
      onDamage: (lane) => this.#commits.damaged(lane),
    });
    this.#environment = environmentOptions(options);
    this.#room.restore();
    this.#compaction = options.compaction ?? DEFAULT_COMPACTION;
    this.#tick = setInterval(() => this.#housekeeping(), TICK_MS).unref();
  }

  /** Shows that the store can be written; on a full disk it is opened all the same, for what it holds. */
  async begin(): Promise<void> {
    await this.#commits.exclusive(async (state, adopt) => {
      const started = {
        ...nextState(state, this.#clock()),
        commit: state.commit + COMMITS_SKIPPED_AT_START,
      };
      try {
        await this.#writer.write(stateOnly(started), state);
        adopt(started);
      } catch (error) {
        if (!(error instanceof RejectedError)) throw error;
      }
    });
  }

  #forgetPages(): void {
    if (this.#env.touchedBytes >= MAPPED_BYTES) this.#env.remap();
  }

  #housekeeping(): void {
    this.#room.restore();
    this.#commits.tick();
    // A store that cannot be written tells so to whoever commits next.
    void this.compact().catch(() => undefined);
  }

  get epoch(): string {
    return this.#commits.state.epoch;
  }

  async commit(batch: WriteBatch): Promise<CommitResult> {
    return this.#commits.commit(prepareBatch(batch, this.#limits, this.epoch));
  }

  read(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): StoredMessage[] {
    const found = this.#reader.read(lane, afterSeq, limit);
    if (this.#env.touchedBytes >= MAPPED_BYTES) this.#commits.tick();
    return found;
  }

  cut(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): BatchCut | undefined {
    const found = this.#reader.cut(lane, afterSeq, limit);
    if (this.#env.touchedBytes >= MAPPED_BYTES) this.#commits.tick();
    return found;
  }

  lanes(): Record<Lane, LaneState> {
    return forEachLane((lane) => this.#reader.laneState(lane));
  }

  ledger(): Record<Lane, LedgerEntry> {
    return ledgerOf(this.#commits.state);
  }

  order(orderId: string): JournalEntry | undefined {
    return readOrder(this.#env, orderId);
  }

  unfinishedOrders(): JournalEntry[] {
    return readUnfinished(this.#env);
  }

  recentOrders(limit: number): JournalEntry[] {
    return readRecent(this.#env, limit);
  }

  downlink(): DownlinkState {
    return { ...this.#commits.state.downlink };
  }

  deadLetters(limit: number): DeadLetter[] {
    return readDeadLetters(this.#env, limit);
  }

  forgottenDeadLetters(): number {
    return this.#commits.state.dead.forgotten ?? 0;
  }

  meta(key: string): string | undefined {
    const record = this.#env.get(metaKey(key));
    return record === undefined ? undefined : jsonOf<string>(metaKey(key), record);
  }

  config(name: string): unknown {
    const record = this.#env.get(configKey(name));
    return record === undefined ? undefined : jsonOf<unknown>(configKey(name), record);
  }

  fileBytes(): number {
    return statSync(this.#files.current).size;
  }

  async renewEpoch(): Promise<void> {
    await this.#commits.exclusive(async (state, adopt) => {
      const adoptAnew = (renewed: StoreState) => {
        adopt(renewed);
        this.#marks.reset(renewed);
        this.#reader.forgetAll();
      };
      const numbering: Numbering = {};
      for (const lane of LANES) {
        const numbers = numberAnew(this.#env, lane, state.lanes[lane]);
        if (numbers === undefined) return this.#copyAnew(state, adoptAnew);
        numbering[lane] = numbers;
      }
      const renewed = inNewEpoch(state, this.#clock(), numbering);
      await this.#writeInAnyCase(renewed, state);
      adoptAnew(renewed);
    });
  }

  /** A full disk refuses once, and then has the room that was kept for this. */
  async #writeInAnyCase(state: StoreState, before: StoreState): Promise<void> {
    try {
      await this.#writer.write(stateOnly(state), before);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      await this.#writer.write(stateOnly(state), before);
    }
  }

  /** Where so much was taken out of a lane's middle that its numbers cannot be kept: writes all of it under new ones. */
  async #copyAnew(state: StoreState, adopt: (renewed: StoreState) => void): Promise<void> {
    this.#files.removeNext();
    const next = Environment.open(this.#files.next, this.#environment);
    try {
      const source = { from: this.#env, state, now: this.#clock(), wallMs: this.#wallMs };
      const { state: renewed } = await renumber({ ...source, to: next, tell: false });
      await this.#replaceBy(next, () => adopt(renewed));
    } catch (cause) {
      if (this.#env === next) throw cause;
      await next.close();
      this.#files.removeNext();
      throw this.#room.isFull()
        ? diskFull(cause)
        : new InternalError('commit-failed', 'a new epoch could not be written', { cause });
    }
    this.#writer.settle();
  }

  offering(on: boolean): void {
    this.#commits.offering = on;
  }

  async compact(limits = this.#compaction): Promise<void> {
    if (!isWorthwhile(this.#files, this.#commits.state, this.#room, limits)) return;
    await this.#commits.exclusive(async (state) => {
      const next = await compactInto(this.#env, this.#files, state, this.#environment);
      if (next !== undefined) await this.#replaceBy(next, () => undefined);
    });
  }

  /**
   * From the rename on, the new environment is the store: to go on with the other would be to promise what is in a file
   * without a name. The next commit makes the rename durable first.
   *
   * @param adopt takes over what belongs to the new one, in one step with it: no reader sees the one without the other.
   */
  async #replaceBy(next: Environment, adopt: () => void): Promise<void> {
    this.#files.renameNext();
    const old = this.#env;
    this.#env = next;
    adopt();
    this.#reader.forgetAll();
    await old.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#tick);
    await this.#commits.close();
    await this.#env.close();
    this.#lock.release();
  }
}
