import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { policyOf } from '../testing/policies.ts';
import { defineCommand, type Command } from './command.ts';
import { cancelOutcome, nextPhase, type OrderPhase } from './order-phase.ts';
import { planCommand, type CommandOrder, type PlanContext, type Step } from './plan-command.ts';

const anyCommand = fc
  .record({
    idempotent: fc.boolean(),
    valid: fc.boolean(),
    signed: fc.boolean(),
    confirms: fc.boolean(),
    user: fc.option(fc.constantFrom('root', 'nobody'), { nil: undefined }),
  })
  .map(({ idempotent, valid, signed, confirms, user }): Command => {
    const confirmation = { note: () => 1, happened: () => undefined };
    const definition = { name: 'work', description: '', idempotent, signed, params: {}, result: {} };
    return defineCommand<Record<string, unknown>>(
      { ...definition, user: () => user, ...(confirms ? { confirmation } : {}), run: () => null },
      () => valid,
    );
  });
const earlier = fc.record({
  phase: fc.constantFrom('claimed' as const, 'begun' as const, 'ended' as const),
  outcome: fc.constantFrom(undefined, '{"status":"succeeded","result":1}'),
});
const anyOrder = fc.record({
  orderId: fc.constant('01900000-0000-7000-8000-000000000001'),
  payload: fc.record({
    name: fc.constantFrom('work', 'other'),
    expiresAt: fc.constantFrom(1, 2000),
    timeoutMs: fc.constantFrom(1, 100, 10_000),
  }),
  state: fc.constantFrom('received' as const, 'started' as const),
  attempt: fc.nat(3),
  signature: fc.option(
    fc.record({
      id: fc.constant('j'),
      signer: fc.constant('k'),
      earlier: fc.option(earlier, { nil: undefined }),
    }),
    { nil: undefined },
  ),
});
const anyContext = fc.record({
  rule: fc.option(fc.record({ signed: fc.boolean(), users: fc.constantFrom<string[]>([], ['root']) }), {
    nil: undefined,
  }),
  serverNowMs: fc.constantFrom(undefined, 1000),
  happened: fc.constantFrom(undefined, true, false),
});

/** What comes of any order, command, policy, time and evidence. */
function eachPlan(
  check: (order: CommandOrder, command: Command, context: PlanContext, steps: Step[]) => void,
): void {
  fc.assert(
    fc.property(anyOrder, anyCommand, anyContext, (given, command, { rule, serverNowMs, happened }) => {
      const { signature, ...unsigned } = given;
      const order: CommandOrder = signature === undefined ? unsigned : { ...unsigned, signature };
      const effect = happened === true ? ({ happened, result: 7 } as const) : { happened: false as const };
      const context: PlanContext = {
        commands: [command],
        policy: policyOf(rule === undefined ? {} : { work: rule }),
        serverNowMs,
        commandTimeoutMs: 1000,
        maxRuns: 3,
        ...(happened === undefined ? {} : { evidence: { effect } }),
      };
      const plan = planCommand(order, context);
      check(order, command, context, plan.kind === 'steps' ? plan.steps : []);
    }),
    { numRuns: 2000 },
  );
}
const kinds = (steps: readonly Step[]): string[] => steps.map(({ kind }) => kind);

describe('any order under any circumstances', () => {
  test('when something runs, started came before it, and after it comes exactly one outcome', () => {
    eachPlan((_, __, ___, steps) => {
      const all = kinds(steps);
      const runs = all.filter((kind) => kind === 'run').length;
      const ends = all.filter((kind) => kind === 'report-outcome' || kind === 'report-refusal').length;
      expect(runs).toBeLessThanOrEqual(1);
      // Nothing at all: it waits for the time of the server.
      expect(ends).toBe(steps.length === 0 ? 0 : 1);
      expect(all.slice(0, Math.max(0, all.indexOf('run'))).includes('report-started')).toBe(runs === 1);
      expect(all.includes('report-refusal') && runs === 1).toBe(false);
    });
  });

  test('when something runs, it was allowed, valid, in time, and never a second time that must not be', () => {
    eachPlan((order, command, context, steps) => {
      const run = steps.find((step) => step.kind === 'run');
      if (run?.kind !== 'run') return;
      const { payload, state, signature } = order;
      const wanted = {
        name: 'work',
        timeoutMs: payload.timeoutMs,
        signed: signature !== undefined,
      };
      const params = { name: 'work', params: {}, user: command.user?.({}) };
      const isSecond = state === 'started' && !command.idempotent;
      expect({
        refused: context.policy.judge(wanted) ?? context.policy.judgeParams(params),
        valid: command.check({}),
        signed: command.signed !== true || signature !== undefined,
        late: (payload.expiresAt ?? 0) <= (context.serverNowMs ?? Infinity),
        second: isSecond && context.evidence?.effect?.happened !== false,
        replayed: signature?.earlier?.phase === 'ended',
        tooOften: state === 'started' && order.attempt >= 3,
        tooLong: run.timeoutMs > 1000,
      }).toEqual({
        refused: undefined,
        valid: true,
        signed: true,
        late: false,
        second: false,
        replayed: false,
        tooOften: false,
        tooLong: false,
      });
    });
  });

  test('when an order had started, it is never told to have been refused before its start', () => {
    eachPlan(({ state }, _, __, steps) => {
      const refused = steps.find((step) => step.kind === 'report-refusal');
      const status = refused?.kind === 'report-refusal' ? refused.status : 'indeterminate';
      expect(state === 'started' ? status : 'indeterminate').toBe('indeterminate');
    });
  });
});

test('when an order goes through any row of events, it never goes back, and a cancel after its end is always too late', () => {
  const ranks = { waiting: 0, running: 1, ending: 2 };
  fc.assert(
    fc.property(fc.array(fc.constantFrom('begin' as const, 'end' as const)), (events) => {
      let phase: OrderPhase = { kind: 'waiting' };
      for (const event of events) {
        const next = nextPhase(phase, event);
        expect(ranks[next.kind]).toBeGreaterThanOrEqual(ranks[phase.kind]);
        phase = next;
      }
      expect(cancelOutcome(phase) === 'too-late').toBe(events.includes('end'));
    }),
  );
});
