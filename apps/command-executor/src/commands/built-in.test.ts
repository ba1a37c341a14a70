import { DEFAULT_POLICY } from '@bowline/identity/policy';
import { FakeClock } from '@bowline/testing';
import { describeErrors } from '@bowline/messages/check';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { deviceFacts } from '../adapters/device-facts.ts';
import type { CommandContext } from '../core/command.ts';
import { capResult } from '../core/outcome.ts';
import { commandPolicy } from '../adapters/command-policy.ts';
import { policyOf } from '../testing/policies.ts';
import { BUILT_IN } from './built-in.ts';

const context: CommandContext = {
  clock: new FakeClock(),
  signal: new AbortController().signal,
  device: deviceFacts('0.1.0'),
  policy: policyOf({ ping: { signed: true } }),
  commands: BUILT_IN,
  orders: () => ({ running: 1, waiting: 2, ended: { succeeded: 3 } }),
};
const named = (name: string) => {
  const found = BUILT_IN.find((command) => command.name === name);
  if (found === undefined) throw new Error(`no command ${name}`);
  return found;
};

describe('built-in commands', () => {
  test.each(BUILT_IN.map(({ name }) => name))(
    'when %s runs, its result fits the schema that it publishes',
    async (name) => {
      const { run, result } = named(name);
      const validate = new Ajv2020({ strict: true, strictRequired: false }).compile({ ...result });
      validate(JSON.parse(JSON.stringify(await run({}, context))));
      expect(validate.errors).toBe(null);
    },
  );

  test.each(BUILT_IN.map(({ name }) => name))(
    'when %s runs on a device without policy, it is allowed and idempotent',
    (name) => {
      expect(commandPolicy(DEFAULT_POLICY).isAllowed(name)).toBe(true);
      expect(named(name).idempotent).toBe(true);
    },
  );

  test('when listCommands runs, it says which commands the policy allows, and which only signed', async () => {
    const { commands } = (await named('listCommands').run({}, context)) as {
      commands: { name: string; allowed: boolean; signed: boolean }[];
    };
    expect(commands.map(({ name, allowed, signed }) => [name, allowed, signed])).toEqual([
      ['ping', true, true],
      ['listCommands', false, false],
      ['collectDiagnostics', false, false],
    ]);
  });

  test('when collectDiagnostics is asked for one section, it gives that one alone', async () => {
    const result = await named('collectDiagnostics').run({ sections: ['memory'] }, context);
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
