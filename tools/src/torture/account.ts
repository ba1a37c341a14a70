/** One sample as the receiver stored it: where it stands and what it carries. */
export interface Arrival {
  lane: string;
  /** Epoch of the device, as the server numbers it. */
  generation: number;
  seq: number;
  value: number;
}

export interface Account {
  accepted: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

/**
 * Compares what the sender was told is accepted with what the receiver holds. The sender counts its values upwards, so
 * order within a lane is order of values.
 *
 * @param arrivals in any order.
 */
export function accountFor(accepted: readonly number[], arrivals: readonly Arrival[]): Account {
  const times = new Map<number, number>();
  for (const { value } of arrivals) times.set(value, (times.get(value) ?? 0) + 1);
  const lanes = Map.groupBy(arrivals, ({ lane, generation }) => `${lane}/${generation}`);
  const inversions = [...lanes.values()].map((lane) => {
    const bySeq = lane.toSorted((a, b) => a.seq - b.seq);
    return bySeq.filter(({ value }, index) => index > 0 && value < (bySeq[index - 1]?.value ?? 0)).length;
  });
  return {
    accepted: accepted.length,
    lost: accepted.filter((value) => !times.has(value)).length,
    duplicated: [...times.values()].filter((count) => count > 1).length,
    outOfOrder: inversions.reduce((sum, count) => sum + count, 0),
  };
}
