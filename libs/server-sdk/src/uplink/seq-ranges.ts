/** from ≤ seq ≤ to. Lists of them are sorted and disjoint. */
export interface SeqRange {
  from: number;
  to: number;
}

export function addRange(ranges: readonly SeqRange[], added: SeqRange): SeqRange[] {
  if (added.from > added.to) return [...ranges];
  let { from, to } = added;
  const apart: SeqRange[] = [];
  for (const range of ranges) {
    if (range.to < from - 1 || range.from > to + 1) apart.push(range);
    else {
      from = Math.min(from, range.from);
      to = Math.max(to, range.to);
    }
  }
  return [...apart, { from, to }].toSorted((a, b) => a.from - b.from);
}

export function subtractRange(ranges: readonly SeqRange[], { from, to }: SeqRange): SeqRange[] {
  return ranges.flatMap((range) => {
    if (range.to < from || range.from > to) return [range];
    return [
      { from: range.from, to: from - 1 },
      { from: to + 1, to: range.to },
    ].filter((part) => part.from <= part.to);
  });
}

export function intersect(ranges: readonly SeqRange[], { from, to }: SeqRange): SeqRange[] {
  return ranges
    .map((range) => ({ from: Math.max(range.from, from), to: Math.min(range.to, to) }))
    .filter((part) => part.from <= part.to);
}

export const contains = (ranges: readonly SeqRange[], seq: number): boolean =>
  ranges.some(({ from, to }) => from <= seq && seq <= to);
