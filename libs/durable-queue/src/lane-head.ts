import type { Lane } from '@bowline/messages';
import type { Draft } from './draft.ts';
import { sizeOf, type Segment } from './segment.ts';

/** What was taken off the old end of a lane. */
export interface Taken {
  messages: number;
  bytes: number;
  /** The seqs, as runs without holes. */
  runs: Run[];
}

export interface Run {
  from: number;
  to: number;
}

/**
 * Takes the oldest messages off a lane: what is stored and, behind that, what the transaction itself adds. Whole segments
 * are deleted; of one that is taken in part, the lane's `first` says where it begins.
 *
 * @param more asked before each message, with its seq, its age and what was taken so far.
 */
export function takeHead(draft: Draft, lane: Lane, more: More): Taken {
  const counters = draft.state.lanes[lane];
  const taken: Taken = { messages: 0, bytes: 0, runs: [] };
  const take: Take = (seq, size) => {
    taken.messages += 1;
    taken.bytes += size;
    const run = taken.runs.at(-1);
    if (run?.to === seq - 1) run.to = seq;
    else taken.runs.push({ from: seq, to: seq });
  };

  const stop = takeStored(draft, lane, more, taken, take) ?? takeTail(draft, lane, more, taken, take);
  counters.first = stop ?? counters.next;
  counters.messages -= taken.messages;
  counters.bytes -= taken.bytes;
  if (taken.messages > 0) draft.changed = true;
  return taken;
}

/**
 * Takes off what lies at or below a seq, as {@link takeHead} does; a segment that goes whole is not looked through.
 *
 * @returns how many messages that were.
 */
export function takeUpTo(draft: Draft, lane: Lane, last: number): number {
  const counters = draft.state.lanes[lane];
  const before = counters.messages;
  for (const segment of draft.segments(lane, counters.first)) {
    if (segment.last > last) break;
    const left = segment.first >= counters.first ? segment : leftOf(segment, counters.first);
    draft.removeSegment(lane, segment.first);
    counters.messages -= left.messages;
    counters.bytes -= left.bytes;
    counters.first = segment.last + 1;
  }
  takeHead(draft, lane, (seq) => seq <= last);
  return before - counters.messages;
}

/** What of a segment lies at or above a seq. */
function leftOf(segment: Segment, from: number): { messages: number; bytes: number } {
  const left = { messages: 0, bytes: 0 };
  for (let seq = from; seq <= segment.last; seq += 1) {
    const size = sizeOf(segment, seq);
    left.messages += Number(size > 0);
    left.bytes += size;
  }
  return left;
}

type More = (seq: number, ageMs: number, taken: Taken) => boolean;
type Take = (seq: number, size: number) => void;

/** @returns the seq that was not taken, if there was one. */
function takeStored(draft: Draft, lane: Lane, more: More, taken: Taken, take: Take): number | undefined {
  const { first } = draft.state.lanes[lane];
  for (const segment of draft.segments(lane, first)) {
    for (let seq = Math.max(segment.first, first); seq <= segment.last; seq += 1) {
      const size = sizeOf(segment, seq);
      if (size === 0) continue;
      if (!more(seq, segment.ageMs, taken)) return seq;
      take(seq, size);
    }
    draft.removeSegment(lane, segment.first);
  }
  return undefined;
}

function takeTail(draft: Draft, lane: Lane, more: More, taken: Taken, take: Take): number | undefined {
  const { first, sizes } = draft.tail(lane);
  let count = 0;
  for (const size of sizes) {
    if (!more(first + count, draft.ageMs, taken)) break;
    take(first + count, size);
    count += 1;
  }
  const stop = count < sizes.length ? first + count : undefined;
  draft.dropTail(lane, count);
  return stop;
}

/**
 * Makes the lane's `first` name a message that is there after one was taken out of the middle; an empty lane holds
 * [next, next).
 */
export function settleHead(draft: Draft, lane: Lane): void {
  const counters = draft.state.lanes[lane];
  if (counters.messages === 0) {
    for (const segment of draft.segments(lane, counters.first)) draft.removeSegment(lane, segment.first);
    counters.first = counters.next;
    return;
  }
  for (const segment of draft.segments(lane, counters.first)) {
    for (let seq = Math.max(segment.first, counters.first); seq <= segment.last; seq += 1) {
      if (sizeOf(segment, seq) === 0) continue;
      counters.first = seq;
      return;
    }
    draft.removeSegment(lane, segment.first);
  }
  counters.first = draft.tail(lane).first;
}
