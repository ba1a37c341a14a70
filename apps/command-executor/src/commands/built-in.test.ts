import { DEFAULT_POLICY } from '@bowline/identity/policy';
import { FakeClock } from '@bowline/testing';
import { describeErrors } from '@bowline/messages/check';
import { MAX_PAYLOAD_NESTING, nestsBelow } from '@bowline/messages/frame';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { deviceFacts } from '../adapters/device-facts.ts';
import type { Command, CommandContext } from '../core/command.ts';
import { capResult } from '../core/outcome.ts';
import { commandPolicy } from '../adapters/command-policy.ts';
import { policyOf } from '../testing/policies.ts';
import { fakeDevice, fakeMachine } from '../testing/fake-machine.ts';
import { BUILT_IN } from './built-in.ts';

const clock = new FakeClock();
const context: CommandContext = {
  clock,
  signal: new AbortController().signal,
  device: deviceFacts('0.1.0', clock, { nowMs: () => undefined }),
  machine: fakeMachine,
  policy: policyOf({ ping: { signed: true } }),
  commands: BUILT_IN,
  broken: [],
  resultBytes: 32_768,
  order: { orderId: '01900000-0000-7000-8000-000000000001', attempt: 1, note: undefined, deadlineMs: 1000 },
  startAgain: () => Promise.resolve(),
  progress: () => {},
  orders: () => ({ running: 1, waiting: 2, ended: { succeeded: 3 } }),
};
const named = (name: string) => {
  const found = BUILT_IN.find((command) => command.name === name);
  if (found === undefined) throw new Error(`no command ${name}`);
  return found;
};

describe('built-in commands', () => {
  const fits = ({ result }: Pick<Command, 'result'>, value: unknown) => {
    const validate = new Ajv2020({ strict: true, strictRequired: false }).compile({ ...result });
    validate(JSON.parse(JSON.stringify(value)));
    expect(validate.errors).toBe(null);
  };

  test.each([
    ['ping', {}],
    ['listCommands', {}],
    ['collectDiagnostics', {}],
    ['restartApp', { app: 'ws-gateway' }],
    ['setLogLevel', { app: 'ws-gateway', level: 'debug' }],
    ['runScript', { script: 'date' }],
  ])('when %s runs, its result fits the schema that it publishes', async (name, params) => {
    const found = named(name);
    expect(found.check(params)).toBe(true);
    fits(found, await found.run(params, context));
  });

  test.each(['reboot', 'shutdown'])(
    'when the machine is up again after %s, its result fits the schema and tells how long it took',
    (name) => {
      const { confirmation, ...found } = named(name);
      const note = confirmation?.note({}, { ...fakeDevice, bootId: () => 'before' });
      expect(confirmation?.happened(note, {}, { ...fakeDevice, bootId: () => 'before' })).toBe(undefined);
      const now = () => ({ wallMs: 0, serverMs: 61_000 });
      const result = confirmation?.happened(note, {}, { ...fakeDevice, bootId: () => 'after', now });
      fits(found, result);
      expect(result).toEqual({ bootId: 'after', previousBootId: 'before', tookMs: 60_000, clock: 'server' });
    },
  );

  test('when a device has no policy, only what changes nothing is allowed', () => {
    const allowed = BUILT_IN.filter(({ name }) => commandPolicy(DEFAULT_POLICY).isAllowed(name));
    expect(allowed.map(({ name }) => name)).toEqual(['ping', 'listCommands', 'collectDiagnostics']);
    expect(allowed.every(({ idempotent }) => idempotent)).toBe(true);
  });

  test('when this app itself is to be restarted, another process of it knows that it was', () => {
    const { confirmation } = named('restartApp');
    const us = { app: 'command-executor' };
    const note = confirmation?.note(us, fakeDevice);
    expect(confirmation?.happened(note, us, fakeDevice)).toBe(undefined);
    expect(confirmation?.happened(note, us, { ...fakeDevice, processId: () => '8:2' })).toEqual({
      app: 'command-executor',
      previousPid: 7,
    });
    expect(confirmation?.note({ app: 'ws-gateway' }, fakeDevice)).toBe(undefined);
  });

  test('when the schemas of all commands do not fit into an answer, the largest are left out, and it says of which', async () => {
    const whole = (await named('listCommands').run({}, context)) as {
      commands: { name: string; params: object }[];
    };
    const [largest] = whole.commands.toSorted((a, b) => JSON.stringify(b).length - JSON.stringify(a).length);
    const resultBytes = JSON.stringify(whole).length - 100;
    const fitting = (await named('listCommands').run({}, { ...context, resultBytes })) as typeof whole & {
      schemasLeftOut: string[];
    };
    expect(JSON.stringify(fitting).length).toBeLessThanOrEqual(resultBytes);
    expect(fitting.schemasLeftOut).toEqual([largest?.name]);
    expect(fitting.commands.filter(({ params }) => params === undefined)).toMatchObject([
      { name: largest?.name },
    ]);
    expect(fitting.commands).toHaveLength(whole.commands.length);
    expect(whole).not.toHaveProperty('schemasLeftOut');
  });

  test('when a schema nests deeper than an answer may, it alone is left out', async () => {
    const nested = (levels: number): object =>
      levels === 0 ? {} : { type: 'object', properties: { a: nested(levels - 1) } };
    for (let levels = 0; levels < 30; levels += 1) {
      const deep = { ...named('ping'), name: 'deep', params: { ...nested(levels) } };
      const list = (await named('listCommands').run(
        {},
        { ...context, commands: [...context.commands, deep], resultBytes: 100_000 },
      )) as { commands: { name: string; params?: object }[]; schemasLeftOut?: string[] };
      expect(capResult(list, 100_000)).toBe(list);
      const isOut = nestsBelow(deep, MAX_PAYLOAD_NESTING - 3);
      expect(list.schemasLeftOut).toEqual(isOut ? ['deep'] : undefined);
      expect(list.commands.filter(({ params }) => params === undefined).length).toBe(isOut ? 1 : 0);
    }
  });

  test('when listCommands runs, it says which commands the policy allows, and which only signed', async () => {
    const { commands } = (await named('listCommands').run({}, context)) as {
      commands: { name: string; allowed: boolean; signed: boolean }[];
    };
    const first = commands.slice(0, 3);
    expect(first.map(({ name, allowed, signed }) => [name, allowed, signed])).toEqual([
      ['ping', true, true],
      ['listCommands', false, false],
      ['collectDiagnostics', false, false],
    ]);
  });

  test('when collectDiagnostics is asked for one section, it gives that one alone', async () => {
    const result = await named('collectDiagnostics').run({ sections: ['memory'], upload: false }, context);
    expect(Object.keys(result as object)).toEqual(['at', 'memory']);
  });

  test('when a secret has come into what is collected, it is redacted on its way out', async () => {
    const orders = { running: 1, waiting: 0, ended: { succeeded: 0 }, token: 's3cret', why: 'Bearer s3cret' };
    const result = await named('collectDiagnostics').run({}, { ...context, orders: () => orders });
    expect(JSON.stringify(result)).not.toContain('s3cret');
    expect(result).toMatchObject({ orders: { running: 1, token: '[redacted]' } });
  });

  test('when everything is collected, it fits into the smallest cap without being cut twice', async () => {
    const result = await named('collectDiagnostics').run({}, context);
    expect(capResult(result, 4096)).toEqual(result);
  });

  test.each([
    ['ping', { loud: true }, 'params must NOT have additional properties: loud'],
    [
      'collectDiagnostics',
      { sections: ['secrets'] },
      'params/sections/0 must be equal to one of the allowed values',
    ],
    ['collectDiagnostics', { sections: 'memory' }, 'params/sections must be array'],
  ])('when %s gets the params %j, the error names the field', (name, params, message) => {
    const { check } = named(name);
    expect(check(params)).toBe(false);
    expect(describeErrors(check.errors, 'params')).toContain(message);
  });
});
