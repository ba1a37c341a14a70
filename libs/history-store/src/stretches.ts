import { TIER_MS } from './aggregate.ts';
import type { Blocks, Tier } from './blocks.ts';

/** A stretch of time, and the tier that is to be read for it. */
export interface Stretch {
  tier: Tier;
  from: number;
  to: number;
}

/** Of one series, `from ≤ t < to`. */
export interface Span {
  series: number;
  from: number;
  to: number;
}

/** A long past is told in pieces of so many blocks, so that whoever needs its beginning looks at no more than that. */
const BLOCKS_AT_ONCE = 128;

/**
 * From what an answer is read, oldest first and without a hole between: from the tier, and where its blocks leave out what a
 * coarser tier still has (they were too old, or gave way to what nobody else has) from that one. There the stretches end where
 * those of the coarser tier do, so that no sample counts twice.
 */
export function* stretches(blocks: Blocks, tier: Tier, span: Span): Generator<Stretch> {
  const { series, from, to } = span;
  if (tier === 2) {
    yield { tier, from, to };
    return;
  }
  /** What has been told ends here. */
  let told = from;
  /** What the blocks up to now cover ends here. */
  let covered: number | undefined;
  let read = 0;
  const piece = (end: number): Stretch[] => (end > told ? [{ tier, from: told, to: end }] : []);
  const hole = function* (next: number | undefined): Generator<Stretch> {
    const left = leftOut(blocks, tier, series, {
      from: Math.max(told, covered ?? from),
      to: next ?? to,
      isAfter: covered !== undefined,
      isBefore: next !== undefined,
    });
    if (left === undefined) return;
    const [begin, end] = [Math.max(told, left.from), Math.min(to, left.to)];
    yield* piece(begin);
    yield* stretches(blocks, nextOf(tier), { series, from: begin, to: end });
    told = end;
    read = 0;
  };
  for (const { firstAt, lastAt } of blocks.inRange({ series, tier, from, to })) {
    yield* hole(firstAt);
    if (read >= BLOCKS_AT_ONCE && covered !== undefined && covered <= firstAt) {
      yield* piece(covered);
      told = Math.max(told, covered);
      read = 0;
    }
    covered = Math.max(covered ?? from, lastAt + (tier === 0 ? 1 : TIER_MS[0]));
    read += 1;
  }
  yield* hole(undefined);
  yield* piece(to);
}

/** Between two blocks, or before the first or behind the last one. */
interface Between {
  from: number;
  to: number;
  isAfter: boolean;
  isBefore: boolean;
}

/** What of it is to be read from coarser tiers; undefined: they have no more of it than the tier itself. */
function leftOut(
  blocks: Blocks,
  tier: 0 | 1,
  series: number,
  { from, to, isAfter, isBefore }: Between,
): { from: number; to: number } | undefined {
  const coarser = tier === 0 ? ([1, 2] as const) : ([2] as const);
  const isLeftOut = coarser.some((each) => {
    const widthMs = TIER_MS[each - 1] ?? 1;
    const [first, end] = [upTo(from, widthMs), isBefore ? downTo(to, widthMs) : to];
    return holds(blocks, { tier: each, series, from: first, to: end });
  });
  if (!isLeftOut) return undefined;
  /** The finest stretch around a moment that there is. */
  const around = (at: number) =>
    coarser
      .map((each) => ({ tier: each, widthMs: TIER_MS[each - 1] ?? 1 }))
      .find((each) => {
        const start = downTo(at, each.widthMs);
        return holds(blocks, { tier: each.tier, series, from: start, to: start + 1 });
      })?.widthMs ?? 1;
  return {
    from: isAfter ? downTo(from, around(from - 1)) : from,
    to: isBefore ? upTo(to, around(to)) : to,
  };
}

/** Whether anything begins there: blocks that reach into it may have a hole in it. */
function holds(blocks: Blocks, range: Span & { tier: 1 | 2 }): boolean {
  const { from, to } = range;
  if (from >= to) return false;
  for (const head of blocks.inRange(range)) {
    if (head.firstAt >= from || head.lastAt < to) return true;
    if (blocks.aggregatesOf(head)?.some(({ at }) => at >= from && at < to) === true) return true;
  }
  return false;
}

const nextOf = (tier: 0 | 1): 1 | 2 => (tier === 0 ? 1 : 2);

const downTo = (at: number, widthMs: number): number => at - (at % widthMs);
const upTo = (at: number, widthMs: number): number => Math.ceil(at / widthMs) * widthMs;
