import type { Lane } from '@bowline/messages';
import type { Draft } from './draft.ts';
import { reportRuns, type GapContext } from './gap-report.ts';
import type { Run } from './lane-head.ts';
import { decodeSegment, encodeSegment, sizeOf, type Segment } from './segment.ts';

/** Most seqs in one segment without messages. */
const HOLES_PER_SEGMENT = 8192;

/**
 * Accounts for damaged or missing segments of lanes, in a transaction of its own: they are deleted, the seqs that nobody
 * holds any more are reported as `gap` (`corrupt`), segments of holes take their place, and the counters are made to
 * match what is left.
 */
export function dropDamaged(draft: Draft, lanes: readonly Lane[], context: GapContext): void {
  const lost = lanes.map((lane) => ({ lane, runs: dropFromLane(draft, lane) }));
  // Only now, since the reports go into a lane as well.
  for (const { lane, runs } of lost) reportRuns(draft, lane, runs, 'corrupt', context);
}

function dropFromLane(draft: Draft, lane: Lane): Run[] {
  const counters = draft.state.lanes[lane];
  const held = { messages: 0, bytes: 0, first: counters.next };
  const lost: Run[] = [];
  const segments: Segment[] = [];
  let expected = counters.first;
  for (const { key, record } of draft.segmentRecords(lane, 0)) {
    const segment = decodeSegment(key, record);
    const inPlace =
      segment !== undefined &&
      segment.last >= counters.first &&
      segment.last < counters.next &&
      // Two that overlap cannot both be what was committed.
      (segments.length === 0 || segment.first >= expected);
    if (!inPlace) {
      draft.remove(key);
      continue;
    }
    if (segment.first > expected) lost.push({ from: expected, to: segment.first - 1 });
    for (let seq = Math.max(segment.first, counters.first); seq <= segment.last; seq += 1) {
      const size = sizeOf(segment, seq);
      if (size > 0) held.first = Math.min(held.first, seq);
      held.messages += Number(size > 0);
      held.bytes += size;
    }
    segments.push(segment);
    expected = segment.last + 1;
  }
  if (counters.messages > 0 && expected < counters.next) lost.push({ from: expected, to: counters.next - 1 });

  for (const { first, last } of segments) if (last < held.first) draft.removeSegment(lane, first);
  for (const run of lost) if (run.from > held.first) putHoles(draft, lane, run);
  counters.dropped += counters.messages - held.messages;
  Object.assign(counters, held);
  draft.changed = true;
  return lost;
}

function putHoles(draft: Draft, lane: Lane, { from, to }: Run): void {
  for (let first = from; first <= to; first += HOLES_PER_SEGMENT) {
    const items = Array.from({ length: Math.min(HOLES_PER_SEGMENT, to - first + 1) }, () => undefined);
    const at = { ageMs: draft.ageMs, commit: draft.state.commit };
    const { key, record } = encodeSegment(lane, first, items, [], at);
    draft.put(key, record);
  }
}
