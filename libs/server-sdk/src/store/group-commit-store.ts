import { InternalError } from '@bowline/runtime/errors';
import { systemClock, type Clock } from '@bowline/runtime/clock';
import type { Entry, KeyRange, ServerStore, Write } from './server-store.ts';

/** One value, to be written one piece behind the other. */
export type Pieces = readonly Uint8Array[];

/** What keeps the bytes. Reads see what was flushed; what it finds damaged counts as absent. */
export interface StoreBackend {
  get(key: string): Buffer | undefined;
  range(range: KeyRange): Entry[];
  /** Resolves once all of it is on disk; all or nothing. */
  flush(writes: ReadonlyMap<string, Pieces | undefined>): Promise<void>;
  close(): Promise<void>;
}

export interface GroupCommitOptions {
  /** A flush that takes longer fails everything that waits; default 30,000 ms (a disk that gives up may never answer). */
  commitDeadlineMs?: number;
  clock?: Clock;
}

interface Group {
  writes: Map<string, Write['value']>;
  done: Promise<void>;
  settle: (error?: InternalError) => void;
}

/**
 * Group commit in front of a backend: whatever is handed in while one flush is under way becomes the next, and what is
 * not on disk yet is already seen by reads.
 */
export class GroupCommitStore implements ServerStore {
  readonly #backend: StoreBackend;
  readonly #commitDeadlineMs: number;
  readonly #clock: Clock;
  #gathering: Group | undefined;
  #flushing: { writes: Map<string, Pieces | undefined>; group: Group } | undefined;
  #failed: InternalError | undefined;

  constructor(
    backend: StoreBackend,
    { commitDeadlineMs = 30_000, clock = systemClock }: GroupCommitOptions = {},
  ) {
    this.#backend = backend;
    this.#commitDeadlineMs = commitDeadlineMs;
    this.#clock = clock;
  }

  get(key: string): Buffer | undefined {
    if (this.#gathering?.writes.has(key)) return bodyOf(this.#gathering.writes.get(key));
    const { writes } = this.#flushing ?? {};
    return writes?.has(key) ? joined(writes.get(key)) : this.#backend.get(key);
  }

  range(range: KeyRange): Entry[] {
    const pending = this.#pendingIn(range);
    const { limit = Infinity, reverse = false } = range;
    const wider = limit === Infinity ? range : { ...range, limit: limit + pending.size };
    const entries: Entry[] = [];
    for (const entry of this.#backend.range(wider)) if (!pending.has(entry.key)) entries.push(entry);
    if (pending.size > 0) {
      for (const [key, value] of pending)
        if (value !== undefined) entries.push(headOf({ key, value }, range));
      entries.sort((a, b) => (a.key < b.key === reverse ? 1 : -1));
    }
    if (entries.length > limit) entries.length = limit;
    return entries;
  }

  write(writes: readonly Write[]): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const group = (this.#gathering ??= this.#newGroup());
    for (const { key, value } of writes) group.writes.set(key, value);
    return group.done;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#flushing?.group.done, this.#gathering?.done]);
    this.#failed ??= new InternalError('store-failed', 'the store is closed');
    await this.#backend.close();
  }

  #pendingIn({ from, to }: KeyRange): Map<string, Buffer | undefined> {
    const pending = new Map<string, Buffer | undefined>();
    for (const [key, value] of this.#flushing?.writes ?? [])
      if (key >= from && key < to) pending.set(key, joined(value));
    for (const [key, value] of this.#gathering?.writes ?? [])
      if (key >= from && key < to) pending.set(key, bodyOf(value));
    return pending;
  }

  #newGroup(): Group {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Everything that arrives in this turn of the event loop travels together.
    if (this.#flushing === undefined) setImmediate(() => this.#flush());
    return {
      writes: new Map(),
      done: promise,
      settle: (error) => (error === undefined ? resolve() : reject(error)),
    };
  }

  #flush(): void {
    const group = this.#gathering;
    if (group === undefined || this.#flushing !== undefined || this.#failed !== undefined) return;
    const writes = new Map<string, Pieces | undefined>();
    for (const [key, value] of group.writes) writes.set(key, piecesOf(value));
    this.#gathering = undefined;
    this.#flushing = { writes, group };
    const deadline = this.#clock.after(this.#commitDeadlineMs, () =>
      this.#fail(new Error(`no commit within ${this.#commitDeadlineMs} ms`)),
    );
    this.#backend.flush(writes).then(
      () => {
        deadline.cancel();
        if (this.#failed !== undefined) return;
        this.#flushing = undefined;
        group.settle();
        this.#flush();
      },
      (cause: unknown) => {
        deadline.cancel();
        this.#fail(cause);
      },
    );
  }

  #fail(cause: unknown): void {
    if (this.#failed !== undefined) return;
    this.#failed = new InternalError('store-failed', 'the store could not write to disk', { cause });
    this.#flushing?.group.settle(this.#failed);
    this.#gathering?.settle(this.#failed);
  }
}

function piecesOf(value: Write['value']): Pieces | undefined {
  const body = typeof value === 'function' ? value() : value;
  return body === undefined || body instanceof Uint8Array ? body && [body] : body;
}

function joined(pieces: Pieces | undefined): Buffer | undefined {
  const [only] = pieces ?? [];
  if (pieces === undefined || only === undefined) return pieces && Buffer.alloc(0);
  return pieces.length === 1 ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(pieces);
}

const bodyOf = (value: Write['value']): Buffer | undefined => joined(piecesOf(value));

/** An entry as {@link KeyRange} asks for it. */
export const headOf = ({ key, value }: Entry, { headBytes }: KeyRange): Entry =>
  headBytes === undefined
    ? { key, value }
    : { key, value: value.subarray(0, headBytes), bytes: value.length };
