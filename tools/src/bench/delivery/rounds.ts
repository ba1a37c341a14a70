/** Short rounds in turn: what disturbs the machine for a while disturbs all that is compared. */
export const ROUNDS = 5;

/** Runs each of the measurements once in every round, after one round that only warms up. */
export async function inRounds<T extends Record<string, () => Promise<number>>>(
  measurements: T,
  rounds = ROUNDS,
): Promise<{ [K in keyof T]: number[] }> {
  const found = Object.fromEntries(Object.keys(measurements).map((name) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, measure] of Object.entries(measurements)) {
      const value = await measure();
      if (round > 0) found[name]?.push(value);
    }
  }
  return found as { [K in keyof T]: number[] };
}

/** Messages a second. */
export const rate = (messages: number, milliseconds: number): number => (messages / milliseconds) * 1000;
