/** Numbers that a seed determines: a run that failed is replayed with `BOWLINE_TEST_SEED`. */
export interface SeededRandom {
  readonly seed: number;
  /** In [0, 1), as Math.random. */
  next(): number;
  /** In [from, to], both included. */
  integer(from: number, to: number): number;
  pick<T>(values: readonly [T, ...T[]]): T;
}

/**
 * @param seed default: `BOWLINE_TEST_SEED`, or a new one that is printed.
 */
export function seededRandom(seed: number = newSeed()): SeededRandom {
  // mulberry32: small, good enough to vary a test, the same on every machine.
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return { seed, next, integer, pick: (values) => values[integer(0, values.length - 1)] ?? values[0] };
}

function newSeed(): number {
  const given = process.env['BOWLINE_TEST_SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`BOWLINE_TEST_SEED is not an integer: ${given}`);
  process.stdout.write(`random run, replay it with BOWLINE_TEST_SEED=${seed}\n`);
  return seed;
}
