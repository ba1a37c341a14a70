import { addRange, contains, intersect, subtractRange, type SeqRange } from './seq-ranges.ts';

/** What the server knows of the seqs of one lane in one epoch of the device (protocol, section 4). */
export interface LaneState {
  /** Highest seq stored, or used up by a final reject. Receipts say this number. */
  received: number;
  /** Up to here it is known which seqs are missing: `received`, or the end of what a hello said was dropped. */
  horizon: number;
  /** Below the horizon, never seen and not covered by a `gap`: pending. */
  holes: SeqRange[];
  /** Above the horizon, already declared by a `gap`: `events` goes before the other lanes. */
  covered: SeqRange[];
}

/** More than these in a lane are forgotten, the oldest first. */
export const MAX_HOLES = 64;
export const MAX_COVERED = 256;

export const emptyLane = (): LaneState => ({ received: 0, horizon: 0, holes: [], covered: [] });

/** `new`: not seen; `late`: not seen, but receipts have passed it; `known`: seen before. */
export function place({ horizon, holes }: LaneState, seq: number): 'new' | 'late' | 'known' {
  if (seq > horizon) return 'new';
  return contains(holes, seq) ? 'late' : 'known';
}

/** Seqs arrived (stored, or refused for good). A jump leaves a hole. */
export function take(lane: LaneState, range: SeqRange): void {
  raiseHorizon(lane, range.from - 1);
  if (lane.holes.length > 0) lane.holes = subtractRange(lane.holes, range);
  lane.received = Math.max(lane.received, range.to);
  passed(lane, range.to);
}

/** Everything up to `seq` that was not seen will not come: what no `gap` covers is a hole. */
export function raiseHorizon(lane: LaneState, seq: number): void {
  if (seq <= lane.horizon) return;
  let missing: SeqRange[] = [{ from: lane.horizon + 1, to: seq }];
  for (const covered of lane.covered) missing = missing.flatMap((part) => subtractRange([part], covered));
  for (const part of missing) lane.holes = addRange(lane.holes, part);
  if (lane.holes.length > MAX_HOLES) lane.holes = lane.holes.slice(-MAX_HOLES);
  passed(lane, seq);
}

/** A `gap` said that these never come. */
export function cover(lane: LaneState, range: SeqRange): void {
  lane.holes = subtractRange(lane.holes, range);
  if (range.to <= lane.horizon) return;
  lane.covered = addRange(lane.covered, { from: Math.max(range.from, lane.horizon + 1), to: range.to });
  if (lane.covered.length > MAX_COVERED) lane.covered = lane.covered.slice(-MAX_COVERED);
}

/** Holes at or below `seq` that are still open; they are no longer pending. */
export function giveUp(lane: LaneState, seq: number): SeqRange[] {
  const open = intersect(lane.holes, { from: 1, to: seq });
  for (const range of open) lane.holes = subtractRange(lane.holes, range);
  return open;
}

function passed(lane: LaneState, seq: number): void {
  lane.horizon = Math.max(lane.horizon, seq);
  if (lane.covered.length > 0)
    lane.covered = intersect(lane.covered, { from: lane.horizon + 1, to: Number.MAX_SAFE_INTEGER });
}
