import { existsSync } from 'node:fs';
import {
  acquireLock,
  ConfigError,
  InternalError,
  RejectedError,
  TransientError,
  type Lock,
} from '@bowline/runtime';
import { readDeadLetters } from './dead-letters.ts';
import { DiskRoom } from './disk-room.ts';
import { DurableWriter } from './durable-writer.ts';
import { Environment, type Writes } from './environment.ts';
import { GroupCommit } from './group-commit.ts';
import { metaKey, stateKey } from './keys.ts';
import { forEachLane } from './lanes.ts';
import { limitsOf, type Limits } from './limits.ts';
import { makeSound } from './make-sound.ts';
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
import { jsonOf, jsonRecord } from './record.ts';
import { ledgerOf, newState, nextState, SCHEMA_VERSION, type StoreState } from './state.ts';
import { renumber } from './rebuild.ts';
import { storeClock } from './store-clock.ts';
import { StoreFiles } from './store-files.ts';
import type { ClockReading } from './age-clock.ts';
import type { Lane, LedgerEntry } from '@bowline/messages';

const DEFAULT_COMMIT_DEADLINE_MS = 30_000;
/**
 * A transaction that was cut off by a crash may have left records behind under the next number: by skipping it, salvage can
 * tell them from what was committed.
 */
const COMMITS_SKIPPED_AT_START = 2;
/** How often messages that grow too old are looked for when nothing else is written, and the ballast is seen to. */
const TICK_MS = 60_000;

/**
 * Opens the store, making it if there is none. One process at a time.
 *
 * @throws ConfigError `already-running`, `state-folder`, `store-newer` (written by a later version of this program);
 *   InternalError `store-check-failed`; TransientError `disk-full`: no room to make a new one.
 */
export async function openQueue(options: QueueOptions): Promise<DurableQueue> {
  const files = new StoreFiles(options.folder);
  const lock = acquireLock(files.lock);
  try {
    files.prepare();
    const clock = storeClock(options);
    const recovery = await makeSound(files, options, clock());
    if (!existsSync(files.current)) await createStore(files, clock());
    const env = Environment.open(files.current);
    const state = readState(env);
    const store = new Store({ options, files, env, state, lock, recovery });
    await store.begin();
    return store;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A store exists from the moment at which it is complete. */
async function createStore(files: StoreFiles, now: ClockReading): Promise<void> {
  const env = Environment.open(files.next);
  try {
    await env.commit(stateOnly(newState(now)));
  } catch (cause) {
    throw new TransientError('disk-full', `a new store cannot be written to ${files.folder}`, { cause });
  } finally {
    await env.close();
  }
  files.promoteNext();
}

const stateOnly = (state: StoreState): Writes =>
  new Map([[stateKey().toString('latin1'), jsonRecord(stateKey(), state, state.commit)]]);

function readState(env: Environment): StoreState {
  const record = env.get(stateKey());
  const state = record === undefined ? undefined : jsonOf<StoreState>(stateKey(), record);
  if (state === undefined) throw new InternalError('store-damaged', 'the state of the store cannot be read');
  if (state.schema > SCHEMA_VERSION) {
    throw new ConfigError(
      'store-newer',
      `the store has schema ${state.schema}, this program knows ${SCHEMA_VERSION}: install the newer one again`,
    );
  }
  return state;
}

interface OpenedStore {
  options: QueueOptions;
  files: StoreFiles;
  env: Environment;
  state: StoreState;
  lock: Lock;
  recovery: Recovery | undefined;
}

class Store implements DurableQueue {
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
    this.#writer = new DurableWriter(
      () => this.#env,
      this.#room,
      options.commitDeadlineMs ?? DEFAULT_COMMIT_DEADLINE_MS,
    );
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
      },
      state,
    );
    this.#reader = new Reader(
      () => this.#env,
      () => this.#commits.state,
      this.#marks,
      (lane) => this.#commits.damaged(lane),
    );
    this.#room.restore();
    this.#tick = setInterval(() => {
      this.#room.restore();
      this.#commits.tick();
    }, TICK_MS).unref();
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

  get epoch(): string {
    return this.#commits.state.epoch;
  }

  async commit(batch: WriteBatch): Promise<CommitResult> {
    return this.#commits.commit(prepareBatch(batch, this.#limits, this.epoch));
  }

  read(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): StoredMessage[] {
    return this.#reader.read(lane, afterSeq, limit);
  }

  cut(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): BatchCut | undefined {
    return this.#reader.cut(lane, afterSeq, limit);
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

  meta(key: string): string | undefined {
    const record = this.#env.get(metaKey(key));
    return record === undefined ? undefined : jsonOf<string>(metaKey(key), record);
  }

  async renewEpoch(): Promise<void> {
    await this.#commits.exclusive(async (state, adopt) => {
      this.#files.removeNext();
      const next = Environment.open(this.#files.next);
      try {
        const source = { from: this.#env, state, now: this.#clock(), wallMs: this.#wallMs };
        const { state: renewed } = await renumber({ ...source, to: next, tell: false });
        this.#files.promoteNext();
        const old = this.#env;
        // In one step, so that no reader ever sees the one without the other.
        this.#env = next;
        adopt(renewed);
        this.#marks.reset(renewed);
        this.#reader.forgetAll();
        await old.close();
      } catch (error) {
        if (this.#env !== next) await next.close();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#tick);
    await this.#commits.close();
    // After a commit that never ended, closing would never end either.
    if (!this.#writer.lost) await this.#env.close();
    this.#lock.release();
  }
}
