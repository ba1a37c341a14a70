import { describe, expect, test } from 'vitest';
import { compileSchema } from './compile-schema.ts';

const SLOW = '^(a+)+$';
/** JavaScript's RegExp would take 2^60 steps. */
const BAD = `${'a'.repeat(60)}!`;

describe('compileSchema', () => {
  test('when a pattern backtracks without end in JavaScript, it is checked all the same', () => {
    expect(compileSchema({ type: 'string', pattern: SLOW })(BAD)).toBe(false);
    expect(compileSchema({ type: 'string', pattern: SLOW })('aaa')).toBe(true);
    const named = { type: 'object', patternProperties: { [SLOW]: { type: 'integer' } } };
    expect(compileSchema({ ...named, additionalProperties: false })({ [BAD]: 1 })).toBe(false);
    expect(compileSchema({ ...named, additionalProperties: false })({ aa: 1 })).toBe(true);
    expect(compileSchema({ ...named, unevaluatedProperties: false })({ [BAD]: 1 })).toBe(false);
  });

  test('when a schema names a property that its own slow pattern would match, compiling ends', () => {
    const schema = { type: 'object', properties: { [BAD]: {} }, patternProperties: { [SLOW]: {} } };
    expect(compileSchema(schema)({ [BAD]: 1 })).toBe(true);
  });

  test('when a pattern is not anchored, it may match anywhere; each pattern counts by itself', () => {
    const both = compileSchema({ type: 'string', allOf: [{ pattern: 'b' }, { pattern: '^.c' }] });
    expect([both('xcb'), both('😀cb'), both('xc'), both('b')]).toEqual([true, true, false, false]);
  });

  test.each(['(?=a)b', '(?!a)b', '(?<=a)b', '(?<!a)b', String.raw`(a)\1`, String.raw`(?<n>a)\k<n>`])(
    'when a pattern is %s, the error names it and RE2',
    (pattern) => {
      for (const schema of [
        { type: 'string', pattern },
        { type: 'object', patternProperties: { [pattern]: {} } },
      ])
        expect(() => compileSchema(schema)).toThrow(
          `pattern ${JSON.stringify(pattern)} is not of RE2 syntax, which knows no look-around`,
        );
    },
  );

  test('when a pattern would take much time by its size, it is refused', () => {
    expect(compileSchema({ type: 'string', pattern: String.raw`^\d{1,1000}$` })('12')).toBe(true);
    expect(() => compileSchema({ type: 'string', pattern: '(a|b){1,1000}' })).toThrow('smaller counts');
    expect(() => compileSchema({ type: 'string', pattern: 'a'.repeat(2049) })).toThrow('2049 characters');
  });

  test('when it is not a schema, it is refused', () => {
    expect(() => compileSchema({ type: 'objekt' })).toThrow('type');
    expect(() => compileSchema({ propertys: {} })).toThrow('propertys');
    expect(() => compileSchema({ $async: true, type: 'object' })).toThrow('$async');
  });
});
