import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cover, emptyLane, giveUp, place, raiseHorizon, take, type LaneState } from './lane-state.ts';
import type { SeqRange } from './seq-ranges.ts';

const MOST = 40;
const range = fc
  .tuple(fc.integer({ min: 1, max: MOST }), fc.integer({ min: 0, max: 6 }))
  .map(([from, length]): SeqRange => ({ from, to: Math.min(MOST, from + length) }));
const step = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), range }),
  fc.record({ kind: fc.constant('cover' as const), range }),
  fc.record({ kind: fc.constant('raise' as const), range }),
);
const seqs = ({ from, to }: SeqRange) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const seqsOf = (ranges: readonly SeqRange[]) => ranges.flatMap(seqs);
const sorted = (ranges: readonly SeqRange[]) =>
  ranges.every(({ from, to }, index) => from <= to && (ranges[index - 1]?.to ?? -1) < from - 1);

/** The same with sets of single seqs. */
class Model {
  readonly seen = new Set<number>();
  readonly covered = new Set<number>();
  horizon = 0;

  apply({ kind, range }: { kind: 'take' | 'cover' | 'raise'; range: SeqRange }): void {
    if (kind === 'raise') this.horizon = Math.max(this.horizon, range.from);
    if (kind === 'take') this.horizon = Math.max(this.horizon, range.to);
    for (const seq of seqs(range)) {
      if (kind === 'take') this.seen.add(seq);
      if (kind === 'cover') this.covered.add(seq);
    }
  }

  get holes(): number[] {
    return seqs({ from: 1, to: this.horizon }).filter((seq) => !this.seen.has(seq) && !this.covered.has(seq));
  }
}

function run(lane: LaneState, { kind, range }: { kind: 'take' | 'cover' | 'raise'; range: SeqRange }): void {
  if (kind === 'take') take(lane, range);
  else if (kind === 'cover') cover(lane, range);
  else raiseHorizon(lane, range.from);
}

describe('lane state', () => {
  it('when anything arrives, is covered or is dropped in any order, holes are what is neither seen nor covered', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const [lane, model] = [emptyLane(), new Model()];
        for (const each of steps) {
          run(lane, each);
          model.apply(each);
          expect(seqsOf(lane.holes)).toEqual(model.holes);
          expect(lane.horizon).toBe(model.horizon);
          expect(lane.received).toBe(Math.max(0, ...model.seen));
          expect(sorted(lane.holes)).toBe(true);
          expect(sorted(lane.covered)).toBe(true);
          expect(lane.covered.every(({ from }) => from > lane.horizon)).toBe(true);
        }
      }),
    );
  });

  it('when a seq is asked for, it is new above the horizon, late in a hole and known elsewhere', () => {
    const lane = emptyLane();
    take(lane, { from: 2, to: 3 });
    expect([1, 2, 3, 4].map((seq) => place(lane, seq))).toEqual(['late', 'known', 'known', 'new']);
  });

  it('when holes are given up, they are named and pending no more', () => {
    const lane = emptyLane();
    take(lane, { from: 3, to: 3 });
    take(lane, { from: 6, to: 6 });
    expect(giveUp(lane, 4)).toEqual([
      { from: 1, to: 2 },
      { from: 4, to: 4 },
    ]);
    expect(lane.holes).toEqual([{ from: 5, to: 5 }]);
  });
});
