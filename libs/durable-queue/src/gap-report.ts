import { randomUUIDv7 } from 'node:crypto';
import type { Gap, Lane } from '@bowline/messages';
import type { Draft } from './draft.ts';
import type { Run } from './lane-head.ts';
import { seqOf, type LaneNumbers } from './numbering.ts';
import type { ReadMarks } from './read-marks.ts';
import { sizeOf } from './segment.ts';
import { prepare, render } from './wire-message.ts';

/** What writes gap reports needs to know of the world. */
export interface GapContext {
  marks: ReadMarks;
  wallMs: () => number;
}

/**
 * Reports dropped seqs as `gap` messages in `events`, one a run (protocol, section 4). A run that goes on where the last
 * one ended extends that report as long as nobody has read it, so a device that is offline for months reports one gap, not
 * a million.
 */
export function reportRuns(
  draft: Draft,
  lane: Lane,
  runs: readonly Run[],
  reason: Gap['reason'],
  context: GapContext,
): void {
  for (const run of runs) reportRun(draft, lane, run, reason, context);
}

function reportRun(
  draft: Draft,
  lane: Lane,
  run: Run,
  reason: Gap['reason'],
  { marks, wallMs }: GapContext,
): void {
  const numbers = draft.state.numbering[lane];
  const seqs = seqsOf(run, numbers);
  // Where nothing was when the epoch began, no seq went.
  if (seqs.from > seqs.to) return;
  const last = draft.state.gaps[lane];
  if (last?.reason === reason && last.to + 1 === run.from && last.seq > marks.readUpTo('events')) {
    const longer = { ...last, to: run.to };
    const message = prepare(gapMessage(lane, seqsOf(longer, numbers), reason, last));
    const json = render(message, seqOf(draft.state.numbering.events, last.seq));
    if (replaceEvent(draft, last.seq, json, marks)) {
      draft.state.gaps[lane] = longer;
      return;
    }
  }
  const made = { id: randomUUIDv7(), sentAt: wallMs() };
  const seq = draft.append('events', prepare(gapMessage(lane, seqs, reason, made)));
  draft.state.gaps[lane] = { seq, ...run, reason, ...made };
}

const seqsOf = ({ from, to }: Run, numbers: LaneNumbers | undefined): Run => ({
  from: seqOf(numbers, from - 1) + 1,
  to: seqOf(numbers, to),
});

/** A loss whose seqs mean nothing (any more): told by its count alone; 0 where that is not known either. */
export function reportCount(
  draft: Draft,
  lane: Lane,
  count: number,
  reason: Gap['reason'],
  wallMs: () => number,
): void {
  const gap: Gap = { lane, count, reason };
  draft.append(
    'events',
    prepare({ id: randomUUIDv7(), type: 'gap', sentAt: wallMs(), payloadJson: JSON.stringify(gap) }),
  );
}

function gapMessage(
  lane: Lane,
  { from, to }: Run,
  reason: Gap['reason'],
  made: { id: string; sentAt: number },
) {
  const gap: Gap = { lane, from, to, count: to - from + 1, reason };
  return { ...made, type: 'gap', payloadJson: JSON.stringify(gap) };
}

/** @returns false if it is not there any more. */
function replaceEvent(draft: Draft, seq: number, json: string, marks: ReadMarks): boolean {
  if (draft.changeTail('events', seq, json)) return true;
  if (seq < draft.state.lanes.events.first) return false;
  for (const segment of draft.segments('events', seq)) {
    const size = seq < segment.first || seq > segment.last ? 0 : sizeOf(segment, seq);
    if (size === 0) return false;
    draft.state.lanes.events.bytes += Buffer.byteLength(json) - size;
    draft.changeSegment('events', segment, seq, json);
    marks.heldFrom = Math.min(marks.heldFrom, seq);
    return true;
  }
  return false;
}
