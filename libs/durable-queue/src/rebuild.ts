import type { Lane } from '@bowline/messages';
import {
  Chunk,
  copyRange,
  type Environment,
  jsonRecord,
  type SourceRecords,
  unseal,
} from '@bowline/record-store';
import type { ClockReading } from './age-clock.ts';
import { Draft } from './draft.ts';
import { reportCount } from './gap-report.ts';
import { keysOf, stateKey } from './keys.ts';
import { forEachLane, LANES } from './lanes.ts';
import { rebuildJournal } from './rebuild-journal.ts';
import { renumberLane } from './renumber-lane.ts';
import { ReadMarks } from './read-marks.ts';
import { dropDamaged } from './repair.ts';
import { decodeSegment } from './segment.ts';
import { inNewEpoch, nextState, type StoreState } from './state.ts';

export interface RebuildOptions {
  from: SourceRecords;
  /** Empty. */
  to: Environment;
  state: StoreState;
  now: ClockReading;
  wallMs: () => number;
}

export interface Rebuilt {
  /** Durable in the new store. */
  state: StoreState;
  /** Messages that should have been there and could not be read. */
  lost: Record<Lane, number>;
}

/**
 * Copies what can be read of a store into a new one, under the same epoch and the same seqs. What cannot be read is
 * counted as dropped and reported by `gap`, seq by seq.
 */
export async function mend(options: RebuildOptions): Promise<Rebuilt> {
  const { from, to, state, now, wallMs } = options;
  const copied = nextState(state, now);
  const chunk = new Chunk(to);
  const segments = keysOf('segment');
  await copyRange(from, segments.from, segments.to, chunk, (key, record) => {
    if (decodeSegment(key, record) !== undefined) chunk.put(key, record);
  });
  await rebuildRest(from, chunk, copied, (ackSeq) => ackSeq);

  const draft = new Draft(to, copied, now);
  dropDamaged(draft, LANES, { marks: new ReadMarks(copied), wallMs });
  await to.commit(draft.seal());
  const dropped = (of: StoreState, lane: Lane) => of.lanes[lane].dropped;
  return {
    state: draft.state,
    lost: forEachLane((lane) => dropped(draft.state, lane) - dropped(state, lane)),
  };
}

/**
 * Copies what can be read of a store into a new one under a new epoch: what waits is numbered from 1 in every lane, with
 * the same ids (protocol, section 3). What cannot be read is counted as dropped.
 *
 * @param tell whether to report a `gap` about every lane, even where nothing is known to be lost (its count is then 0):
 *   for a store that cannot say what it held.
 */
export async function renumber(options: RebuildOptions & { tell: boolean }): Promise<Rebuilt> {
  const { from, to, state, now, wallMs, tell } = options;
  const renewed = inNewEpoch(state, now, {});
  const chunk = new Chunk(to);
  /** Old seqs in `results`: the new one is the place in this list, from 1. */
  let results: number[] = [];
  for (const lane of LANES) {
    const oldSeqs = await renumberLane(from, chunk, lane, state.lanes[lane].first, renewed);
    if (lane === 'results') results = oldSeqs;
  }
  await rebuildRest(from, chunk, renewed, (ackSeq) => results.findLastIndex((seq) => seq <= ackSeq) + 1);

  const draft = new Draft(to, renewed, now);
  const lost = forEachLane((lane) => {
    const missing = state.lanes[lane].messages - renewed.lanes[lane].messages;
    // More than expected: an older form of the state was the youngest that could be read.
    if (missing < 0) draft.state.lanes[lane].accepted -= missing;
    else draft.state.lanes[lane].dropped += missing;
    return Math.max(0, missing);
  });
  for (const lane of LANES) {
    if (lost[lane] > 0 || tell) reportCount(draft, lane, lost[lane], 'corrupt', wallMs);
  }
  await to.commit(draft.seal());
  return { state: draft.state, lost };
}

/** Everything but the lanes; then the state, which makes it a store. */
async function rebuildRest(
  from: SourceRecords,
  chunk: Chunk,
  state: StoreState,
  newAckSeq: (ackSeq: number) => number,
): Promise<void> {
  await rebuildJournal(from, chunk, state, newAckSeq);
  const dead = { ...state.dead, entries: 0, bytes: 0 };
  await copyRange(from, keysOf('dead').from, keysOf('dead').to, chunk, (key, record) => {
    if (unseal(key, record) === undefined) return;
    chunk.put(key, record);
    dead.entries += 1;
    dead.bytes += record.length;
  });
  state.dead = dead;
  for (const { from: first, to: last } of [keysOf('meta'), keysOf('config')]) {
    await copyRange(from, first, last, chunk, (key, record) => {
      if (unseal(key, record) !== undefined) chunk.put(key, record);
    });
  }
  chunk.put(stateKey(), jsonRecord(stateKey(), state, state.commit));
  await chunk.flush();
}
