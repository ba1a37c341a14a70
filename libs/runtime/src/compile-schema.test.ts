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

  const BRANCHES = Object.fromEntries(
    Array.from({ length: 35 }, (_, i) => {
      const next = { $ref: `#/$defs/l${i + 1}` };
      return [`l${i}`, i === 34 ? { type: 'boolean' } : { anyOf: [next, next] }];
    }),
  );
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
  const TWICE = { properties: { a: { $ref: '#' } } };
  test.each<[string, Record<string, unknown>, unknown]>([
    ['branches by references, 2^34 times', { $ref: '#/$defs/l0', $defs: BRANCHES }, 1],
    [
      'branches once more at each level of the value',
      { type: ['object', 'integer'], allOf: [TWICE, TWICE] },
      nested(30),
    ],
    ['refers to itself at the same place', { allOf: [{ $ref: '#' }] }, 1],
    [
      'holds a long text against a pattern over and over',
      {
        items: { $ref: '#/$defs/a' },
        $defs: { a: { type: 'string', pattern: '([a-c]{1,9}){1,90}$' } },
      },
      Array.from({ length: 40 }, () => 'a'.repeat(5000)),
    ],
  ])('when a schema %s, the value is refused within a bounded time', (_, schema, value) => {
    const check = compileSchema({ type: ['object', 'array', 'integer'], ...schema });
    expect(check(value)).toBe(false);
    expect(check.errors?.[0]?.message).toContain('takes too long to be held against its schema');
  });

  test('when a list is as long as an order may be, its values are all looked at', () => {
    const check = compileSchema({
      type: 'array',
      items: { type: 'integer', minimum: 0, maximum: 9 },
      uniqueItems: false,
    });
    const list = Array.from({ length: 130_000 }, () => 1);
    expect(check(list)).toBe(true);
    expect(check([...list, 10])).toBe(false);
    expect(check.errors?.[0]).toMatchObject({ instancePath: '/130000', keyword: 'maximum' });
  });

  test('when the items of a list must differ, thousands of objects are compared without one to one', () => {
    const check = compileSchema({ type: 'array', uniqueItems: true, items: { type: 'object' } });
    const list = Array.from({ length: 20_000 }, (_, a) => ({ a, b: [a] }));
    const times: number[] = [];
    for (const [value, verdict] of [
      [list, true],
      [[...list, { b: [7], a: 7 }], false],
    ] as const) {
      const before = process.cpuUsage().user;
      expect(check(value)).toBe(verdict);
      times.push((process.cpuUsage().user - before) / 1e6);
    }
    expect(check.errors?.[0]).toMatchObject({
      keyword: 'uniqueItems',
      message: 'must NOT have duplicate items',
    });
    expect(Math.max(...times)).toBeLessThan(5);
  });

  test('when it is not a schema, it is refused', () => {
    expect(() => compileSchema({ type: 'objekt' })).toThrow('type');
    expect(() => compileSchema({ propertys: {} })).toThrow('propertys');
    expect(() => compileSchema({ $async: true, type: 'object' })).toThrow('$async');
  });
});
