import { describe, expect, test } from 'vitest';
import { defineCommand, type Command } from './command.ts';
import { planCommand, type CommandOrder, type PlanContext } from './plan-command.ts';
import { policyOf } from '../testing/policies.ts';

const ORDER_ID = '01900000-0000-7000-8000-000000000001';
const ok = () => true;

const fake = (name: string, idempotent: boolean, check: Command['check'] = ok): Command =>
  defineCommand({ name, description: name, idempotent, params: {}, result: {}, run: () => null }, check);

const commands = [fake('ping', true), fake('openValve', false)];
const context: PlanContext = {
  commands,
  policy: policyOf({ ping: {}, openValve: {} }),
  serverNowMs: 1000,
  commandTimeoutMs: 60_000,
  maxRuns: 3,
};
const order = (fields: Partial<CommandOrder> = {}): CommandOrder => ({
  orderId: ORDER_ID,
  payload: { name: 'ping' },
  state: 'received',
  attempt: 0,
  ...fields,
});
const refusal = (...args: Parameters<typeof planCommand>) => {
  const plan = planCommand(...args);
  if (plan.kind !== 'steps' || plan.steps.length !== 1)
    throw new Error(`no refusal: ${JSON.stringify(plan)}`);
  return plan.steps[0];
};

describe('planCommand', () => {
  test('when an order is allowed and valid, started is reported before the run and the outcome after it', () => {
    const plan = planCommand(order({ payload: { name: 'ping', params: { a: 1 }, timeoutMs: 5 } }), context);
    expect(plan).toEqual({
      kind: 'steps',
      steps: [
        { kind: 'report-started', attempt: 1 },
        { kind: 'run', command: commands[0], params: { a: 1 }, timeoutMs: 5 },
        { kind: 'report-outcome' },
      ],
    });
  });

  test('when an order names no timeout or a longer one, the configured one holds', () => {
    const timeouts = [undefined, 10_000_000].map((timeoutMs) => {
      const payload = { name: 'ping', ...(timeoutMs === undefined ? {} : { timeoutMs }) };
      const plan = planCommand(order({ payload }), context);
      return plan.kind === 'steps' && plan.steps[1]?.kind === 'run' && plan.steps[1].timeoutMs;
    });
    expect(timeouts).toEqual([60_000, 60_000]);
  });

  test('when the policy does not name the command, it is rejected by that rule', () => {
    const policy = policyOf({ ping: {} });
    expect(refusal(order({ payload: { name: 'openValve' } }), { ...context, policy })).toEqual({
      kind: 'report-refusal',
      status: 'rejected',
      error: {
        code: 'not-allowed',
        message: '/commands of the policy file /etc/p.json: permits only ping, not openValve',
      },
    });
  });

  test('when it is refused for another reason, its params, which may be large, are not looked at', () => {
    const never = () => {
      throw new Error('looked at');
    };
    const policy = policyOf({ ping: { maxTimeoutMs: 5, signed: true } });
    const known = { ...context, commands: [fake('ping', false, never)] };
    expect(refusal(order(), { ...known, policy: policyOf({}) })).toMatchObject({
      error: { code: 'not-allowed' },
    });
    expect(refusal(order(), { ...known, policy })).toMatchObject({ error: { code: 'signature-needed' } });
    expect(refusal(order({ state: 'started', attempt: 1 }), known)).toMatchObject({
      error: { code: 'interrupted' },
    });
    const late = order({ payload: { name: 'ping', expiresAt: 1 } });
    expect(refusal(late, known)).toMatchObject({ error: { code: 'expired' } });
  });

  test('when the policy wants a signature, the order needs one, and with it the run is recorded around its effect', () => {
    const policy = policyOf({ openValve: { signed: true, maxTimeoutMs: 1000 } });
    const wanted = order({ payload: { name: 'openValve' } });
    expect(refusal(wanted, { ...context, policy })).toMatchObject({ error: { code: 'signature-needed' } });
    const signature = { id: 'j1', signer: 'k', earlier: undefined };
    expect(planCommand({ ...wanted, signature }, { ...context, policy })).toMatchObject({
      steps: [
        { kind: 'report-started' },
        { kind: 'record', what: 'begun' },
        { kind: 'run', timeoutMs: 1000 },
        { kind: 'record', what: 'ended' },
        { kind: 'report-outcome' },
        { kind: 'record', what: 'reported' },
      ],
    });
  });

  const recorded = (phase: 'claimed' | 'begun' | 'ended', outcome?: object) => ({
    id: 'j1',
    signer: 'k',
    earlier: { phase, outcome: outcome && JSON.stringify(outcome) },
  });

  test.each(['begun', 'ended'] as const)(
    'when a signed order has %s by our own record and the gateway hands it over as new, it is a replay',
    (phase) => {
      expect(refusal(order({ signature: recorded(phase) }), context)).toMatchObject({
        status: 'rejected',
        error: { code: 'replayed' },
      });
    },
  );

  test('when a signed order was cut off before it began, it goes on', () => {
    expect(planCommand(order({ signature: recorded('claimed') }), context)).toMatchObject({
      steps: [{ kind: 'report-started' }, {}, { kind: 'run' }, {}, {}, {}],
    });
  });

  test('when a signed order had ended and only its report was lost, that is reported and nothing runs', () => {
    const stored = { status: 'succeeded', result: 7 };
    const cutOff = order({ signature: recorded('ended', stored), state: 'started', attempt: 1 });
    expect(planCommand(cutOff, context)).toEqual({
      kind: 'steps',
      steps: [
        { kind: 'report-outcome', stored },
        { kind: 'record', what: 'reported' },
      ],
    });
  });

  test('when a signed order is refused, that uses its signature up, and the same refusal is told again', () => {
    const policy = policyOf({ ping: {} });
    const error = { code: 'not-allowed', message: expect.stringContaining('permits only ping') };
    const wanted = order({ payload: { name: 'openValve' }, signature: recorded('claimed') });
    expect(planCommand(wanted, { ...context, policy })).toMatchObject({
      steps: [
        { kind: 'record-refusal', refusal: { status: 'rejected', error } },
        { kind: 'report-refusal', status: 'rejected', error },
        { kind: 'record', what: 'reported' },
      ],
    });
    const told = { status: 'rejected', error: { code: 'not-allowed', message: 'as it was' } };
    const wider = { ...context, policy: policyOf({ openValve: {} }) };
    for (const state of ['received', 'started'] as const)
      expect(planCommand({ ...wanted, state, signature: recorded('ended', told) }, wider)).toMatchObject({
        steps: [
          { kind: 'report-refusal', error: told.error },
          { kind: 'record', what: 'reported' },
        ],
      });
  });

  test('when a signed order has ended and was reported, it cannot be made to run again', () => {
    const again = order({ signature: recorded('ended'), state: 'started', attempt: 1 });
    expect(refusal(again, context)).toMatchObject({ status: 'indeterminate', error: { code: 'replayed' } });
  });

  test('when params break their schema, the error names the field', () => {
    const check: Command['check'] = () => false;
    check.errors = [
      { instancePath: '/sections/0', message: 'must be string', keyword: 'type', params: {}, schemaPath: '' },
    ];
    expect(refusal(order(), { ...context, commands: [fake('ping', true, check)] })).toMatchObject({
      status: 'rejected',
      error: { code: 'invalid-params', message: 'params/sections/0 must be string' },
    });
  });

  test('when the command is unknown or broken, the order is rejected', () => {
    const fault = { code: 'invalid', message: 'payload/name must be string' };
    expect(refusal(order({ payload: { name: 'nope' } }), context)).toMatchObject({
      status: 'rejected',
      error: { code: 'unknown-command', message: 'there is no command nope here, only ping, openValve' },
    });
    expect(refusal(order({ payload: { name: 'openvlave' } }), context)).toMatchObject({
      error: { message: 'there is no command openvlave here; did you mean "openValve"?' },
    });
    expect(refusal(order({ payload: {}, fault }), context)).toMatchObject({ error: fault });
  });

  test('when the expiry lies behind the time of the server, the order expires', () => {
    const payload = { name: 'ping', expiresAt: 1000 };
    expect(refusal(order({ payload }), context)).toMatchObject({ status: 'expired' });
    expect(planCommand(order({ payload: { ...payload, expiresAt: 1001 } }), context)).toMatchObject({
      steps: [{ kind: 'report-started' }, { kind: 'run' }, { kind: 'report-outcome' }],
    });
  });

  test('when there is an expiry and no time of the server, the order waits', () => {
    const payload = { name: 'ping', expiresAt: 1000 };
    expect(planCommand(order({ payload }), { ...context, serverNowMs: undefined })).toEqual({
      kind: 'await-server-time',
    });
  });

  test('when an idempotent command was cut off, it runs again as the next attempt', () => {
    expect(planCommand(order({ state: 'started', attempt: 1 }), context)).toMatchObject({
      steps: [{ kind: 'report-started', attempt: 2 }, { kind: 'run' }, { kind: 'report-outcome' }],
    });
  });

  test('when it was cut off as often as an order may begin, it ends indeterminate and says how often it began', () => {
    expect(planCommand(order({ state: 'started', attempt: 2 }), context)).toMatchObject({
      steps: [{ kind: 'report-started', attempt: 3 }, { kind: 'run' }, { kind: 'report-outcome' }],
    });
    expect(refusal(order({ state: 'started', attempt: 3 }), context)).toMatchObject({
      status: 'indeterminate',
      error: { code: 'interrupted', message: expect.stringMatching(/begun 3 times/) },
    });
  });

  test('when any other command was cut off, it ends indeterminate and does not run', () => {
    const cutOff = order({ payload: { name: 'openValve' }, state: 'started', attempt: 1 });
    expect(refusal(cutOff, context)).toMatchObject({
      status: 'indeterminate',
      error: { code: 'interrupted' },
    });
  });

  test('when a cut off order would be refused now, it ends indeterminate, since its effect may be there', () => {
    const cutOff = order({ state: 'started', attempt: 1 });
    const policy = policyOf({});
    expect(refusal(cutOff, { ...context, policy })).toMatchObject({
      status: 'indeterminate',
      error: { code: 'not-allowed' },
    });
    const expired = order({ payload: { name: 'ping', expiresAt: 1 }, state: 'started', attempt: 1 });
    expect(refusal(expired, context)).toMatchObject({ status: 'indeterminate', error: { code: 'expired' } });
  });

  test('when a command asks for a signature itself, the policy cannot do without it', () => {
    const careful: Command = { ...fake('ping', true), signed: true };
    expect(refusal(order(), { ...context, commands: [careful] })).toMatchObject({
      error: { code: 'signature-needed' },
    });
  });

  test('when a program is to run as a system user, the policy must name that user for the command', () => {
    const asRoot: Command = { ...fake('ping', true), user: () => 'root' };
    expect(refusal(order(), { ...context, commands: [asRoot] })).toMatchObject({
      status: 'rejected',
      error: { code: 'not-allowed', message: expect.stringContaining('/commands/ping/users') },
    });
    const policy = policyOf({ ping: { users: ['root'] } });
    expect(planCommand(order(), { ...context, policy, commands: [asRoot] })).toMatchObject({
      steps: [{ kind: 'report-started' }, { kind: 'run' }, { kind: 'report-outcome' }],
    });
  });

  test('when a command brings its own longest time, that holds instead of the executor’s', () => {
    const slow: Command = { ...fake('ping', true), timeoutMs: 600_000 };
    const plan = planCommand(order({ payload: { name: 'ping', timeoutMs: 300_000 } }), {
      ...context,
      commands: [slow],
    });
    expect(plan).toMatchObject({ steps: [{}, { kind: 'run', timeoutMs: 300_000 }, {}] });
  });

  describe('a command that confirms its effect', () => {
    const confirming: Command = {
      ...fake('ping', false),
      confirmation: { note: () => 1, happened: () => undefined },
    };
    const commands = [confirming];
    const cutOff = order({ state: 'started', attempt: 1 });

    test('when it is to run, what things are like is noted before anything else', () => {
      expect(planCommand(order(), { ...context, commands })).toMatchObject({
        steps: [{ kind: 'note' }, { kind: 'report-started' }, { kind: 'run' }, { kind: 'report-outcome' }],
      });
    });

    test('when its effect took place while nobody looked, it has succeeded', () => {
      const evidence = { effect: { happened: true, result: 7 } } as const;
      expect(planCommand(cutOff, { ...context, commands, evidence })).toEqual({
        kind: 'steps',
        steps: [{ kind: 'report-outcome', stored: { status: 'succeeded', result: 7 } }],
      });
    });

    test('when its effect did not take place, it runs again', () => {
      const evidence = { effect: { happened: false } } as const;
      expect(planCommand(cutOff, { ...context, commands, evidence })).toMatchObject({
        steps: [{ kind: 'note' }, { kind: 'report-started', attempt: 2 }, { kind: 'run' }, {}],
      });
    });

    test('when there is no note, nobody knows, and it ends indeterminate with what was found', () => {
      const evidence = { orphan: 'its program still ran' };
      expect(refusal(cutOff, { ...context, commands, evidence })).toMatchObject({
        status: 'indeterminate',
        error: { code: 'interrupted', message: expect.stringContaining('its program still ran') },
      });
    });
  });
});
