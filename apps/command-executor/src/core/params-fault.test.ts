import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { paramsFault } from './params-fault.ts';

const params = {
  type: 'object',
  additionalProperties: false,
  properties: {
    level: { type: 'integer' },
    parts: {
      type: 'array',
      items: { type: 'object', additionalProperties: false, properties: { valve: { type: 'string' } } },
    },
  },
};
const check = new Ajv2020().compile(params);

test.each([
  [{ levle: 1 }, 'params must NOT have additional properties: levle; did you mean "level"?'],
  [
    { parts: [{ vlave: 'a' }] },
    'params/parts/0 must NOT have additional properties: vlave; did you mean "valve"?',
  ],
  [{ something: 1 }, 'params must NOT have additional properties: something'],
  [{ level: 'x' }, 'params/level must be integer'],
])('when params are %j, the fault is "%s"', (value, fault) => {
  expect(check(value)).toBe(false);
  expect(paramsFault({ check, params })).toBe(fault);
});
