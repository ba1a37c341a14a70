import type { Lane } from '@bowline/messages';
import type { Draft } from './draft.ts';
import { reportRuns, type GapContext } from './gap-report.ts';
import { settleHead, type Run } from './lane-head.ts';
import { decodeSegment, sizeOf } from './segment.ts';

/**
 * Accounts for damaged or missing segments of a lane: they are deleted, the seqs that nobody holds any more are reported
 * as `gap` (`corrupt`), and the counters are made to match what is left. Only at the start of a transaction.
 */
export function dropDamaged(draft: Draft, lane: Lane, context: GapContext): void {
  const counters = draft.state.lanes[lane];
  const held = { messages: 0, bytes: 0 };
  const lost: Run[] = [];
  let expected = counters.first;
  for (const { key, record } of draft.segmentRecords(lane, counters.first)) {
    const segment = decodeSegment(key, record);
    if (segment === undefined || segment.last < counters.first) {
      draft.remove(key);
      continue;
    }
    if (segment.first > expected) lost.push({ from: expected, to: segment.first - 1 });
    for (let seq = Math.max(segment.first, counters.first); seq <= segment.last; seq += 1) {
      const size = sizeOf(segment, seq);
      held.messages += Number(size > 0);
      held.bytes += size;
    }
    expected = segment.last + 1;
  }
  if (expected < counters.next) lost.push({ from: expected, to: counters.next - 1 });

  counters.dropped += counters.messages - held.messages;
  counters.messages = held.messages;
  counters.bytes = held.bytes;
  settleHead(draft, lane);
  draft.changed = true;
  reportRuns(draft, lane, lost, 'corrupt', context);
}
