/** One message as the receiver stored it: where it stands, and what its sender calls it. */
export interface Arrival<Key extends number | string> {
  lane: string;
  /** Epoch of the device, as the server numbers it. */
  generation: number;
  seq: number;
  key: Key;
}

export interface Account {
  accepted: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

/**
 * Compares what a sender was told is accepted with what the receiver holds. Each key of a sender is above the ones before,
 * so order within a lane is order of keys.
 *
 * @param arrivals in any order; what was never accepted may be among them, since its answer may have been lost.
 */
export function accountFor<Key extends number | string>(
  accepted: readonly Key[],
  arrivals: readonly Arrival<Key>[],
): Account {
  const times = new Map<Key, number>();
  for (const { key } of arrivals) times.set(key, (times.get(key) ?? 0) + 1);
  const lanes = Map.groupBy(arrivals, ({ lane, generation }) => `${lane}/${generation}`);
  const inversions = [...lanes.values()].map((lane) => {
    const bySeq = lane.toSorted((a, b) => a.seq - b.seq);
    return bySeq.filter(({ key }, index) => key < (bySeq[index - 1]?.key ?? key)).length;
  });
  return {
    accepted: accepted.length,
    lost: accepted.filter((key) => !times.has(key)).length,
    duplicated: [...times.values()].filter((count) => count > 1).length,
    outOfOrder: inversions.reduce((sum, count) => sum + count, 0),
  };
}

export const addAccounts = (a: Account, b: Account): Account => ({
  accepted: a.accepted + b.accepted,
  lost: a.lost + b.lost,
  duplicated: a.duplicated + b.duplicated,
  outOfOrder: a.outOfOrder + b.outOfOrder,
});
