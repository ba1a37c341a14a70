import type { Lane } from '@bowline/messages';
import { type Entry, type Environment, jsonOf, jsonRecord, type Writes } from '@bowline/record-store';
import { ageMs, type ClockReading } from './age-clock.ts';
import { keysOf, segmentKey, stateKey, type Prefix } from './keys.ts';
import { forEachLane } from './lanes.ts';
import { seqOf } from './numbering.ts';
import { decodeSegment, encodeSegment, rewriteSegment, SEGMENT_BYTES, type Segment } from './segment.ts';
import { nextState, type StoreState } from './state.ts';
import { render, type PreparedMessage } from './wire-message.ts';

/** What is read of the store while a transaction is built. */
export type StoredRecords = Pick<Environment, 'get' | 'range' | 'rangeDown' | 'views' | 'keyAtOrBelow'>;

/** A record of the store is damaged: the transaction is built again after the damage has been accounted for. */
export class DamageFound extends Error {
  readonly lane: Lane;

  constructor(lane: Lane) {
    super(`damaged segment in lane ${lane}`);
    this.lane = lane;
  }
}

/** Messages of one lane that the transaction adds, consecutive from `first`. */
interface NewTail {
  first: number;
  items: string[];
  sizes: number[];
}

/** One transaction while it is built: the state after it, and what it writes. Dropped without trace if it fails. */
export class Draft {
  readonly state: StoreState;
  readonly now: ClockReading;
  readonly ageMs: number;
  /** The state before: what of a lane is below its `next` could have been read and sent. */
  readonly before: StoreState;
  /** Whether anything was changed at all. */
  changed = false;
  readonly #stored: StoredRecords;
  readonly #writes = new Map<string, Buffer | null>();
  readonly #tails: Record<Lane, NewTail>;

  constructor(stored: StoredRecords, before: StoreState, now: ClockReading) {
    this.#stored = stored;
    this.before = before;
    this.now = now;
    this.ageMs = ageMs(before.age, now);
    this.state = nextState(before, now);
    this.#tails = forEachLane((lane) => ({ first: before.lanes[lane].next, items: [], sizes: [] }));
  }

  get(key: Buffer): Buffer | undefined {
    const written = this.#writes.get(key.toString('latin1'));
    return written === undefined ? this.#stored.get(key) : (written ?? undefined);
  }

  /** The value of a JSON record; undefined if there is none, or if it is damaged. */
  getJson<T>(key: Buffer): T | undefined {
    const record = this.get(key);
    return record === undefined ? undefined : jsonOf<T>(key, record);
  }

  put(key: Buffer, record: Buffer): void {
    this.changed = true;
    this.#writes.set(key.toString('latin1'), record);
  }

  putJson(key: Buffer, value: unknown): number {
    const record = jsonRecord(key, value, this.state.commit);
    this.put(key, record);
    return record.length;
  }

  remove(key: Buffer): void {
    this.changed = true;
    this.#writes.set(key.toString('latin1'), null);
  }

  /** The stored records with a prefix that this transaction has not deleted, ascending; those it added are not among them. */
  *stored(prefix: Prefix, from?: Buffer): Generator<Entry> {
    const keys = keysOf(prefix);
    for (const { key, record } of this.#stored.range(from ?? keys.from, keys.to)) {
      const written = this.#writes.get(key.toString('latin1'));
      if (written !== null) yield { key, record: written ?? record };
    }
  }

  /**
   * The stored segments of a lane from the one that holds `seq`, ascending; without what this transaction adds. Each is a
   * view that holds until the store is looked into again.
   *
   * @throws DamageFound
   */
  *segments(lane: Lane, seq: number): Generator<Segment> {
    for (const { key, record } of this.segmentRecords(lane, seq)) {
      const segment = decodeSegment(key, record);
      if (segment === undefined) throw new DamageFound(lane);
      yield segment;
    }
  }

  *segmentRecords(lane: Lane, seq: number): Generator<Entry> {
    const from =
      this.#stored.keyAtOrBelow(segmentKey(lane, seq), segmentKey(lane, 0)) ?? segmentKey(lane, seq);
    for (const { key, record } of this.#stored.views(from, segmentKey(lane, Number.MAX_SAFE_INTEGER))) {
      const written = this.#writes.get(key.toString('latin1'));
      if (written !== null) yield { key, record: written ?? record };
    }
  }

  removeSegment(lane: Lane, first: number): void {
    this.remove(segmentKey(lane, first));
  }

  /** Changes a message of a stored segment, or takes it out (undefined). Does not count it. */
  changeSegment(lane: Lane, segment: Segment, seq: number, json: string | undefined): void {
    const { key, record } = rewriteSegment(lane, segment, new Map([[seq, json]]), this.state.commit);
    this.put(key, record);
  }

  /** Adds a message at the end of its lane and counts it. @returns its place. */
  append(lane: Lane, message: PreparedMessage): number {
    const counters = this.state.lanes[lane];
    const place = counters.next;
    const seq = seqOf(this.state.numbering[lane], place);
    const size = message.bytes + String(seq).length;
    const tail = this.#tails[lane];
    this.changed = true;
    tail.items.push(render(message, seq));
    tail.sizes.push(size);
    counters.next += 1;
    counters.messages += 1;
    counters.bytes += size;
    counters.accepted += 1;
    return place;
  }

  /** Messages that this transaction adds: their seqs and sizes. */
  tail(lane: Lane): { first: number; sizes: readonly number[] } {
    return this.#tails[lane];
  }

  /** Takes the oldest `count` messages out of what the transaction adds: they are never written. */
  dropTail(lane: Lane, count: number): void {
    const tail = this.#tails[lane];
    tail.items.splice(0, count);
    tail.sizes.splice(0, count);
    tail.first += count;
  }

  /** The text of a message that this transaction adds, changed. @returns false if it does not add that seq. */
  changeTail(lane: Lane, seq: number, json: string): boolean {
    const tail = this.#tails[lane];
    const index = seq - tail.first;
    const before = tail.sizes[index];
    if (before === undefined) return false;
    const size = Buffer.byteLength(json);
    tail.items[index] = json;
    tail.sizes[index] = size;
    this.state.lanes[lane].bytes += size - before;
    return true;
  }

  /** Everything to write, with the new messages as segments and the new state. */
  seal(): Writes {
    for (const [lane, tail] of Object.entries(this.#tails) as [Lane, NewTail][]) this.#sealTail(lane, tail);
    this.putJson(stateKey(), this.state);
    return this.#writes;
  }

  #sealTail(lane: Lane, { first, items, sizes }: NewTail): void {
    let from = 0;
    let bytes = 0;
    for (let to = 1; to <= items.length; to += 1) {
      bytes += (sizes[to - 1] ?? 0) + 1;
      if (to < items.length && bytes + (sizes[to] ?? 0) + 1 <= SEGMENT_BYTES) continue;
      const { key, record } = encodeSegment(
        lane,
        first + from,
        items.slice(from, to),
        sizes.slice(from, to),
        {
          ageMs: this.ageMs,
          commit: this.state.commit,
        },
      );
      this.put(key, record);
      from = to;
      bytes = 0;
    }
  }
}
