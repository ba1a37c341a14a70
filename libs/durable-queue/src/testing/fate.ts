import fc from 'fast-check';
import { batches, PEACEFUL, type Action, type BatchPlan } from './action.ts';
import type { IoError } from './process-host.ts';

/** What can go wrong, beside what happens anyway. */
export type HardAction =
  | { kind: 'peace'; action: Action }
  | { kind: 'kill'; batches: BatchPlan[] | 'renew' | 'compact'; afterMs: number; reboot: boolean }
  | { kind: 'killed-openings'; afterMs: number[]; reboot: boolean }
  | { kind: 'io-errors'; ioError: IoError; bursts: BatchPlan[][] }
  | { kind: 'fill'; leaveBytes: number }
  | { kind: 'free' };

/** How a life ends: bits of the closed file turn, and the process that saves what it can is killed at it, too. */
export interface Ending {
  flips: { where: 'anywhere' | 'roots' | 'message' | 'order'; at: number; bit: number }[];
  /** In shares of the time that the rescue takes undisturbed. */
  killsAt: number[];
}

export interface Fate {
  actions: HardAction[];
  ending: Ending;
}

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
/** An opening takes about as long. */
const openingMs = fc.integer({ min: 0, max: 500 });
const action: fc.Arbitrary<HardAction> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('peace' as const), action: fc.oneof(...PEACEFUL) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      batches: fc.oneof(
        { weight: 4, arbitrary: batches },
        fc.constantFrom('renew' as const, 'compact' as const),
      ),
      afterMs: fc.integer({ min: 0, max: 8 }),
      reboot: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('killed-openings' as const),
      afterMs: fc.array(openingMs, { minLength: 1, maxLength: 2 }),
      reboot: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('io-errors' as const),
      ioError: fc.record({
        call: fc.constantFrom('fdatasync', 'pwrite64', 'writev'),
        from: fc.integer({ min: 1, max: 6 }),
      }),
      bursts: fc.array(batches, { minLength: 3, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fill' as const),
      leaveBytes: fc.constantFrom(0, 8192, 100_000, 600_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'free' as const }) },
);

export const fate: fc.Arbitrary<Fate> = fc.record({
  actions: fc.array(action, { minLength: 4, maxLength: 14 }),
  ending: fc.record({
    flips: fc.array(
      fc.record({
        where: fc.constantFrom('anywhere', 'roots', 'message', 'order'),
        at: share,
        bit: fc.nat(7),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    killsAt: fc.array(share, { minLength: 1, maxLength: 3 }),
  }),
});
