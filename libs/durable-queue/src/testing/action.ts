import fc from 'fast-check';
import type { Lane } from '@bowline/messages';
import { LANES } from '../lanes.ts';

export const HOUR_MS = 3_600_000;

/** What happens to a store; the numbers are made to fit when it happens. */
export type Action =
  | { kind: 'burst'; batches: BatchPlan[]; look: boolean }
  | { kind: 'reject'; lane: Lane; at: number }
  | { kind: 'letters'; resend: number[] }
  | { kind: 'renew' }
  | { kind: 'compact' }
  | { kind: 'clock'; forwardMs: number; wallJumpMs: number; serverKnown: boolean }
  | { kind: 'reopen'; reboot: boolean };

export interface BatchPlan {
  enqueue: { lane: Lane; sizes: number[] }[];
  /** How many of the lane's oldest are receipted, in hundredths of what it holds; above 100 as well. */
  receipts: { lane: Lane; percent: number }[];
  setAside: { lane: Lane; at: number }[];
  producer: { id: number; batch: number; inTurn: boolean } | undefined;
  order: OrderPlan | undefined;
}

export type OrderPlan =
  | { kind: 'receive'; expiresInMs: number | undefined }
  | { kind: 'report'; at: number; status: 'started' | 'succeeded' | 'failed' | 'indeterminate' };

const lane = fc.constantFrom(...LANES);
const order: fc.Arbitrary<OrderPlan> = fc.oneof(
  fc.record({
    kind: fc.constant('receive' as const),
    expiresInMs: fc.constantFrom(undefined, 1, HOUR_MS / 4),
  }),
  fc.record({
    kind: fc.constant('report' as const),
    at: fc.nat(5),
    status: fc.constantFrom('started', 'succeeded', 'failed', 'indeterminate'),
  }),
);
const plan: fc.Arbitrary<BatchPlan> = fc.record({
  enqueue: fc.array(
    fc.record({ lane, sizes: fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 12 }) }),
    { maxLength: 3 },
  ),
  receipts: fc.array(fc.record({ lane, percent: fc.integer({ min: 0, max: 130 }) }), { maxLength: 2 }),
  setAside: fc.array(fc.record({ lane, at: fc.nat(10) }), { maxLength: 1 }),
  producer: fc.option(
    fc.record({ id: fc.nat(2), batch: fc.integer({ min: 1, max: 6 }), inTurn: fc.boolean() }),
    {
      nil: undefined,
    },
  ),
  order: fc.option(order, { nil: undefined }),
});
export const batches = fc.array(plan, { minLength: 1, maxLength: 5 });

/** What can happen without harm, each with how often. */
export const PEACEFUL: fc.WeightedArbitrary<Action>[] = [
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('burst' as const), batches, look: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reject' as const), lane, at: fc.nat(10) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('letters' as const),
      resend: fc.array(fc.nat(4), { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'renew' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'compact' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      forwardMs: fc.constantFrom(0, 1000, HOUR_MS / 6, HOUR_MS / 3, HOUR_MS / 2 + 60_000, HOUR_MS + 120_000),
      wallJumpMs: fc.constantFrom(0, 0, -30 * 24 * HOUR_MS, 365 * 24 * HOUR_MS),
      serverKnown: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), reboot: fc.boolean() }),
  },
];
