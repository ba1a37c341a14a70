import type { Lane } from '@bowline/messages';
import type { Environment, Writes } from './environment.ts';
import { segmentKey } from './keys.ts';
import { forEachLane, LANES } from './lanes.ts';
import type { BatchCut, LaneState, StoredMessage } from './queue.ts';
import type { ReadMarks } from './read-marks.ts';
import { bytesOf, decodeSegment, sizeOf, type Segment } from './segment.ts';
import type { StoreState } from './state.ts';
import { readHead } from './wire-message.ts';

/**
 * Reads what waits, of what is durable only. Holds at most one decoded segment a lane, so that reading on through a
 * backlog costs neither memory nor a look-up a message.
 */
export class Reader {
  readonly #env: () => Environment;
  readonly #state: () => StoreState;
  readonly #marks: ReadMarks;
  readonly #onDamage: (lane: Lane) => void;
  /** The segment that was read last; volatile, dropped when the lane's stored form changes. */
  readonly #last: Record<Lane, Segment | undefined> = forEachLane(() => undefined);

  constructor(
    env: () => Environment,
    state: () => StoreState,
    marks: ReadMarks,
    onDamage: (lane: Lane) => void,
  ) {
    this.#env = env;
    this.#state = state;
    this.#marks = marks;
    this.#onDamage = onDamage;
  }

  /** After a commit: drops what it has rewritten or deleted. */
  forget(writes: Writes): void {
    for (const lane of LANES) {
      const last = this.#last[lane];
      if (last !== undefined && writes.has(segmentKey(lane, last.first).toString('latin1'))) {
        this.#last[lane] = undefined;
      }
    }
  }

  forgetAll(): void {
    for (const lane of LANES) this.#last[lane] = undefined;
  }

  read(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): StoredMessage[] {
    const found: StoredMessage[] = [];
    let room = limit.bytes;
    for (const { segment, seq, bytes } of this.#messages(lane, afterSeq)) {
      if (found.length > 0 && (found.length >= limit.messages || bytes > room)) break;
      const json = bytesOf(segment, seq).toString();
      found.push({ lane, seq, id: readHead(json)?.id ?? '', json, bytes });
      room -= bytes;
      this.#marks.read(lane, seq);
      if (found.length >= limit.messages) break;
    }
    return found;
  }

  cut(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): BatchCut | undefined {
    let run: { segment: Segment; from: number; to: number; bytes: number } | undefined;
    for (const { segment, seq, bytes } of this.#messages(lane, afterSeq)) {
      if (run === undefined) run = { segment, from: seq, to: seq, bytes };
      else if (
        segment !== run.segment ||
        seq !== run.to + 1 ||
        seq - run.from >= limit.messages ||
        run.bytes + 1 + bytes > limit.bytes
      ) {
        break;
      } else {
        run.to = seq;
        run.bytes += 1 + bytes;
      }
    }
    if (run === undefined) return undefined;
    this.#marks.read(lane, run.to);
    const { segment, from, to } = run;
    return { lane, from, to, messages: to - from + 1, body: bytesOf(segment, from, to) };
  }

  /** @param lane with `sentAt` of the oldest message, read from the store. */
  laneState(lane: Lane): LaneState {
    const { first, next, messages, bytes } = this.#state().lanes[lane];
    const oldestAt = messages === 0 ? undefined : this.#oldestAt(lane);
    return { first, next, messages, bytes, ...(oldestAt === undefined ? {} : { oldestAt }) };
  }

  #oldestAt(lane: Lane): number | undefined {
    for (const { segment, seq } of this.#messages(lane, 0)) {
      return readHead(bytesOf(segment, seq).subarray(0, 512).toString('latin1'))?.sentAt;
    }
    return undefined;
  }

  /** The messages of a lane after a seq. Damage is skipped, and told once what it can be is known. */
  *#messages(lane: Lane, afterSeq: number): Generator<{ segment: Segment; seq: number; bytes: number }> {
    const { first, next } = this.#state().lanes[lane];
    const end = lane === 'events' ? Math.min(next, this.#marks.heldFrom) : next;
    const from = Math.max(afterSeq + 1, first);
    if (from >= end) return;
    let expected = from;
    for (const segment of this.#segments(lane, from)) {
      if (segment === undefined || segment.first > expected) this.#onDamage(lane);
      if (segment === undefined) continue;
      for (let seq = Math.max(from, segment.first); seq <= segment.last && seq < end; seq += 1) {
        const bytes = sizeOf(segment, seq);
        if (bytes > 0) yield { segment, seq, bytes };
      }
      expected = segment.last + 1;
      if (expected >= end) return;
    }
    this.#onDamage(lane);
  }

  *#segments(lane: Lane, from: number): Generator<Segment | undefined> {
    let seq = from;
    const last = this.#last[lane];
    if (last !== undefined && last.first <= seq && seq <= last.last) {
      yield last;
      seq = last.last + 1;
    }
    const env = this.#env();
    const [start] = env.rangeDown(segmentKey(lane, seq), segmentKey(lane, 0));
    const end = segmentKey(lane, Number.MAX_SAFE_INTEGER);
    for (const { key, record } of env.range(start?.key ?? segmentKey(lane, seq), end)) {
      const segment = decodeSegment(key, record);
      if (segment !== undefined && segment.last < seq) continue;
      this.#last[lane] = segment;
      yield segment;
    }
  }
}
