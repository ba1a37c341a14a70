import type { Lane } from '@bowline/messages';
import type { StoredRecords } from './draft.ts';
import { segmentKey } from './keys.ts';
import { bytesOf, decodeSegment, sizeOf, type Segment } from './segment.ts';
import type { LaneCounters } from './state.ts';

/**
 * Which seqs messages have on the wire. A lane's messages keep their places in the file for ever: a new epoch, which numbers
 * from 1 without holes what waits, writes nothing but this. Before the first one a place is a seq.
 */
export interface LaneNumbers {
  /** Segments that begin below this place have the seqs of an earlier epoch in their text. */
  below: number;
  /** Places from `from` on have the seqs from `as` on, until the next run; ascending. */
  runs: { from: number; as: number }[];
}
export type Numbering = Partial<Record<Lane, LaneNumbers>>;

/** Most runs of a lane, since they are part of the state, which every commit writes. */
const MOST_RUNS = 64;

/** The seq of a place; where nothing was when the epoch began, that of the message before. */
export function seqOf(numbers: LaneNumbers | undefined, place: number): number {
  if (numbers === undefined) return place;
  const index = numbers.runs.findLastIndex(({ from }) => from <= place);
  const run = numbers.runs[index];
  if (run === undefined) return 0;
  const last = (numbers.runs[index + 1]?.as ?? Infinity) - 1;
  return Math.min(run.as + place - run.from, last);
}

export function placeOf(numbers: LaneNumbers | undefined, seq: number): number {
  if (numbers === undefined) return seq;
  const run = numbers.runs.findLast(({ as }) => as <= seq);
  return run === undefined ? (numbers.runs[0]?.from ?? 1) - 1 : run.from + seq - run.as;
}

/**
 * Numbers from 1 what waits in a lane. It is looked through only if messages were taken out of its middle.
 *
 * @returns undefined if so many were that the numbers would be too long to keep.
 */
export function numberAnew(
  stored: Pick<StoredRecords, 'views'>,
  lane: Lane,
  { first, next, messages }: LaneCounters,
): LaneNumbers | undefined {
  const from = messages === 0 ? next : first;
  const runs = [{ from, as: 1 }];
  if (messages > 0 && messages < next - first) {
    let holes = 0;
    let afterHole = false;
    for (const { place, isHole } of placesOf(stored, lane, first, next)) {
      if (isHole) holes += 1;
      else if (afterHole) runs.push({ from: place, as: place - first + 1 - holes });
      afterHole = isHole;
      if (runs.length > MOST_RUNS) return undefined;
    }
  }
  return { below: next, runs };
}

/**
 * The places of a lane at which something changes, and the one behind its end. What is damaged or missing is no hole: it is
 * reported, by its seqs, once it is met.
 */
function* placesOf(
  stored: Pick<StoredRecords, 'views'>,
  lane: Lane,
  first: number,
  next: number,
): Generator<{ place: number; isHole: boolean }> {
  let expected = first;
  const end = segmentKey(lane, Number.MAX_SAFE_INTEGER);
  for (const { key, record } of stored.views(segmentKey(lane, 0), end)) {
    const segment = decodeSegment(key, record);
    if (segment === undefined || segment.last < expected) continue;
    if (segment.first > expected) yield { place: expected, isHole: false };
    const from = Math.max(segment.first, expected);
    const last = segment.messages === segment.last - segment.first + 1 ? from : segment.last;
    for (let place = from; place <= last; place += 1) {
      yield { place, isHole: sizeOf(segment, place) === 0 };
    }
    expected = segment.last + 1;
  }
  yield { place: Math.min(expected, next), isHole: false };
}

/** Puts the seqs of this epoch into a copy of a segment from an earlier one, byte for byte in the same room. */
export function putSeqs(segment: Segment, numbers: LaneNumbers | undefined): void {
  if (numbers === undefined || segment.first >= numbers.below) return;
  for (let place = segment.first; place <= segment.last; place += 1) {
    if (sizeOf(segment, place) > 0) putSeq(bytesOf(segment, place), seqOf(numbers, place));
  }
}

const SEQ = '"seq":';
const COMMA = 0x2c;

/** A seq never grows from one epoch to the next; JSON allows spaces before a number. */
function putSeq(message: Buffer, seq: number): void {
  const at = message.indexOf(SEQ) + SEQ.length;
  const end = message.indexOf(COMMA, at);
  message.write(String(seq).padStart(end - at), at, 'latin1');
  if (!message.subarray(0, at).includes('"type":"gap"')) return;
  // The seqs that it names are those of the old epoch: its count remains.
  const range = /"from":\d+,"to":\d+,/.exec(message.toString('latin1'));
  if (range !== null) message.fill(' ', range.index, range.index + range[0].length);
}
