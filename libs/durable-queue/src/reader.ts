import type { Lane } from '@bowline/messages';
import type { Environment, Writes } from '@bowline/record-store';
import { segmentKey } from './keys.ts';
import { forEachLane, LANES } from './lanes.ts';
import { placeOf, putSeqs, seqOf, type LaneNumbers } from './numbering.ts';
import type { BatchCut, LaneState, StoredMessage } from './queue.ts';
import type { ReadMarks } from './read-marks.ts';
import { bytesOf, decodeSegment, SEGMENT_BYTES, sizeOf, type Segment } from './segment.ts';
import type { StoreState } from './state.ts';
import { readHead } from './wire-message.ts';

/** What the reader needs of the store around it. */
export interface ReaderGround {
  env: () => Environment;
  state: () => StoreState;
  marks: ReadMarks;
  /** A segment is damaged or missing; told each time it is met. */
  onDamage: (lane: Lane) => void;
}

/** The segment of a lane that was read last, in memory that is used again for the next. Volatile. */
interface Held {
  memory: Buffer;
  segment: Segment | undefined;
}

interface CutLimit {
  messages: number;
  bytes: number;
}

interface Place {
  segment: Segment;
  seq: number;
  bytes: number;
}

const COMMA = Buffer.from(',');
/** Room for a segment of the usual length, so that nothing is allocated while a backlog is read. */
const HELD_BYTES = SEGMENT_BYTES + 16 * 1024;
/** The head of a message, which is ASCII, is shorter. */
const HEAD_BYTES = 512;

/** Reads what waits, of what is durable only, one segment a lane at a time. */
export class Reader {
  readonly #ground: ReaderGround;
  readonly #held: Record<Lane, Held> = forEachLane(() => ({ memory: Buffer.alloc(0), segment: undefined }));

  #gathered = Buffer.alloc(0);

  constructor(ground: ReaderGround) {
    this.#ground = ground;
  }

  /** After a commit: drops what it has rewritten or deleted. */
  forget(writes: Writes): void {
    for (const lane of LANES) {
      const held = this.#held[lane];
      if (held.segment === undefined) continue;
      if (writes.has(segmentKey(lane, held.segment.first).toString('latin1'))) held.segment = undefined;
    }
  }

  forgetAll(): void {
    for (const lane of LANES) this.#held[lane].segment = undefined;
  }

  read(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): StoredMessage[] {
    const found: StoredMessage[] = [];
    let room = limit.bytes;
    const numbers = this.#numbers(lane);
    let place = this.#next(lane, placeOf(numbers, afterSeq));
    while (place !== undefined && (found.length === 0 || place.bytes <= room)) {
      const { segment, seq, bytes } = place;
      const json = bytesOf(segment, seq).toString();
      found.push({ lane, seq: seqOf(numbers, seq), id: readHead(json)?.id ?? '', json, bytes });
      this.#ground.marks.read(lane, seq);
      room -= bytes;
      if (found.length >= limit.messages) break;
      place = this.#next(lane, seq);
    }
    return found;
  }

  cut(lane: Lane, afterSeq: number, limit: CutLimit): BatchCut | undefined {
    const numbers = this.#numbers(lane);
    const first = this.#cutSegment(lane, placeOf(numbers, afterSeq), limit);
    if (first === undefined) return undefined;
    // Single samples, each in a segment of its own, would go out one a frame.
    const mayGrow = this.#mayGrow({ ...first, bytes: first.body.length }, limit);
    const cut = mayGrow ? this.#gather(first, limit) : first;
    this.#ground.marks.read(lane, cut.to);
    return { ...cut, from: seqOf(numbers, cut.from), to: seqOf(numbers, cut.to) };
  }

  #cutSegment(lane: Lane, afterSeq: number, limit: CutLimit): BatchCut | undefined {
    const place = this.#next(lane, afterSeq);
    if (place === undefined) return undefined;
    const { segment, seq: from } = place;
    const last = Math.min(segment.last, this.#end(lane) - 1, from + limit.messages - 1);
    let to = from;
    let { bytes } = place;
    while (to < last) {
      const size = sizeOf(segment, to + 1);
      if (size === 0 || bytes + 1 + size > limit.bytes) break;
      bytes += 1 + size;
      to += 1;
    }
    return { lane, from, to, messages: to - from + 1, body: bytesOf(segment, from, to) };
  }

  /** Whether more messages follow what would leave most of a frame empty. */
  #mayGrow(cut: Omit<BatchCut, 'from' | 'body'> & { bytes: number }, limit: CutLimit): boolean {
    return cut.to + 1 < this.#end(cut.lane) && cut.messages < limit.messages && cut.bytes < limit.bytes / 2;
  }

  /** Takes in what follows of the next segments, as long as no message is missing between. */
  #gather(first: BatchCut, limit: CutLimit): BatchCut {
    let { to, messages } = first;
    let bytes = this.#copy(first.body, 0);
    while (this.#mayGrow({ lane: first.lane, to, messages, bytes }, limit)) {
      const room = { messages: limit.messages - messages, bytes: limit.bytes - bytes - COMMA.length };
      const next = this.#cutSegment(first.lane, to, room);
      if (next?.from !== to + 1 || next.body.length > room.bytes) break;
      bytes = this.#copy(next.body, this.#copy(COMMA, bytes));
      messages += next.messages;
      to = next.to;
    }
    return { ...first, to, messages, body: this.#gathered.subarray(0, bytes) };
  }

  /** Into memory that is used again for every frame, so that a backlog is read without making garbage. @returns its end. */
  #copy(piece: Buffer, at: number): number {
    const end = at + piece.length;
    if (end > this.#gathered.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.#gathered.length, HELD_BYTES));
      this.#gathered.copy(larger, 0, 0, at);
      this.#gathered = larger;
    }
    piece.copy(this.#gathered, at);
    return end;
  }

  /** The lane's counters, with `sentAt` of its oldest message. */
  laneState(lane: Lane): LaneState {
    const { first, next, offered, messages, bytes } = this.#ground.state().lanes[lane];
    const oldest = messages === 0 ? undefined : this.#next(lane, 0);
    const head = oldest && bytesOf(oldest.segment, oldest.seq).subarray(0, HEAD_BYTES).toString('latin1');
    const oldestAt = head === undefined ? undefined : readHead(head)?.sentAt;
    const numbers = this.#numbers(lane);
    return {
      first: seqOf(numbers, first),
      next: seqOf(numbers, next),
      messages,
      bytes,
      offered: seqOf(numbers, offered),
      ...(oldestAt === undefined ? {} : { oldestAt }),
    };
  }

  #numbers(lane: Lane): LaneNumbers | undefined {
    return this.#ground.state().numbering[lane];
  }

  /** Seqs from here on are not to be read (yet). */
  #end(lane: Lane): number {
    const { next } = this.#ground.state().lanes[lane];
    return lane === 'events' ? Math.min(next, this.#ground.marks.heldFrom) : next;
  }

  /** The first message after a seq. */
  #next(lane: Lane, afterSeq: number): Place | undefined {
    let seq = Math.max(afterSeq + 1, this.#ground.state().lanes[lane].first);
    const end = this.#end(lane);
    while (seq < end) {
      const segment = this.#segmentFrom(lane, seq);
      if (segment === undefined || segment.first > seq) this.#ground.onDamage(lane);
      if (segment === undefined) return undefined;
      for (seq = Math.max(seq, segment.first); seq <= segment.last && seq < end; seq += 1) {
        const bytes = sizeOf(segment, seq);
        if (bytes > 0) return { segment, seq, bytes };
      }
    }
    return undefined;
  }

  /** The segment that holds a seq or, where that is damaged or missing, the next one. */
  #segmentFrom(lane: Lane, seq: number): Segment | undefined {
    const held = this.#held[lane];
    if (held.segment !== undefined && held.segment.first <= seq && seq <= held.segment.last)
      return held.segment;
    held.segment = undefined;
    const env = this.#ground.env();
    const start = env.keyAtOrBelow(segmentKey(lane, seq), segmentKey(lane, 0)) ?? segmentKey(lane, seq);
    for (const { key, record } of env.views(start, segmentKey(lane, Number.MAX_SAFE_INTEGER))) {
      if (held.memory.length < record.length) {
        held.memory = Buffer.allocUnsafeSlow(Math.max(record.length, HELD_BYTES));
      }
      const copy = held.memory.subarray(0, record.length);
      record.copy(copy);
      const segment = decodeSegment(key, copy);
      if (segment === undefined) this.#ground.onDamage(lane);
      else if (segment.last >= seq) {
        putSeqs(segment, this.#numbers(lane));
        return (held.segment = segment);
      }
    }
    return undefined;
  }
}
