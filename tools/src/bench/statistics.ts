/** The middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  return (percentile(values, 0.5, 'lower') + percentile(values, 0.5, 'upper')) / 2;
}

/** The value that a share `p` (0 to 1) of all values does not exceed (nearest rank). */
export function percentile(
  values: readonly number[],
  p: number,
  middle: 'lower' | 'upper' = 'lower',
): number {
  const sorted = values.toSorted((a, b) => a - b);
  const exact = p * sorted.length;
  const rank = middle === 'lower' ? Math.ceil(exact) : Math.floor(exact) + 1;
  const value = sorted[Math.min(Math.max(rank, 1), sorted.length) - 1];
  if (value === undefined) throw new RangeError('no values');
  return value;
}

/**
 * The median of the ratios of each round: what disturbs the machine disturbs both sides of a round, so it cancels better
 * than in a ratio of medians.
 */
export function medianRatio(values: readonly number[], references: readonly number[]): number {
  if (values.length !== references.length) throw new RangeError('not as many values as references');
  return median(values.map((value, round) => value / (references[round] ?? NaN)));
}
