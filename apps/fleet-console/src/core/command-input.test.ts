import { expect, test } from 'vitest';
import { checkCommand } from './command-input.ts';

test('when name and parameters are good, they become the payload', () => {
  expect(checkCommand({ name: ' ping ', params: '' })).toEqual({
    ok: true,
    payload: { name: 'ping', params: {} },
  });
  expect(checkCommand({ name: 'log.collect', params: '{"lines": 5}' })).toEqual({
    ok: true,
    payload: { name: 'log.collect', params: { lines: 5 } },
  });
});

test.each([
  ['', '', 'name', /^Name the command/],
  ['two words', '', 'name', /letters, digits/],
  ['.hidden', '', 'name', /letters, digits/],
  ['ping', '{', 'params', /^This is not JSON/],
  ['ping', '[1]', 'params', /JSON object/],
  ['ping', 'null', 'params', /JSON object/],
  ['ping', '"text"', 'params', /JSON object/],
])('when name is %j and parameters are %j, the %s is refused in words', (name, params, field, reason) => {
  expect(checkCommand({ name, params })).toEqual({ ok: false, field, reason: expect.stringMatching(reason) });
});
