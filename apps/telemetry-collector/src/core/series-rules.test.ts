import { describe, expect, test } from 'vitest';
import type { Reading } from './sample.ts';
import { SeriesRules, type SeriesRule } from './series-rules.ts';
import { convert } from './units.ts';

const reading = (value: Reading['value'], metric = 'system.memory.usage'): Reading => ({
  metric,
  value,
  unit: 'By',
});

/** The values that pass, of one reading a second. */
function passing(rules: SeriesRule[], values: Reading['value'][]): Reading['value'][] {
  const all = new SeriesRules(rules);
  return values.flatMap((value, index) =>
    all.apply([reading(value)], index * 1000).map((each) => each.value),
  );
}

describe('SeriesRules', () => {
  test('when no rule matches, everything passes as it is', () => {
    expect(passing([{ match: 'system.cpu.*', enabled: false }], [1, 1, 2])).toEqual([1, 1, 2]);
  });

  test('when a series is switched off, nothing of it passes', () => {
    expect(passing([{ match: 'system.*', enabled: false }], [1, 2])).toEqual([]);
  });

  test('when it has an interval of its own, it passes that often', () => {
    expect(passing([{ match: '*', intervalMs: 2000 }], [1, 2, 3, 4, 5])).toEqual([1, 3, 5]);
  });

  test('when a value stays within the dead band of the last sample, it makes none, but one at times', () => {
    expect(passing([{ match: '*', deadBand: 2 }], [10, 12, 8, 13, 15.5])).toEqual([10, 13, 15.5]);
    expect(passing([{ match: '*', deadBand: 0, silenceMs: 3000 }], [1, 1, 1, 1, 1])).toEqual([1, 1]);
    expect(passing([{ match: '*', deadBand: 0 }], ['a', 'a', 'b'])).toEqual(['a', 'b']);
  });

  test('when several rules match, the last one that says something holds', () => {
    const rules = [
      { match: '*', deadBand: 100, unit: 'KiBy' },
      { match: 'system.memory.*', deadBand: 0 },
    ];
    expect(passing(rules, [1024, 1024, 2048])).toEqual([1, 2]);
  });

  test('when a unit is asked for, the value is told in it, if there is a way', () => {
    const inUnit = (unit: string) =>
      new SeriesRules([{ match: '*', unit }]).apply([reading(3_145_728)], 0)[0];
    expect(inUnit('MiBy')).toMatchObject({ value: 3, unit: 'MiBy' });
    expect(inUnit('Cel')).toMatchObject({ value: 3_145_728, unit: 'By' });
  });

  test.each([
    ['*', ['', 'a', 'system.cpu'], []],
    ['a*', ['a', 'ab'], ['ba']],
    ['*.limit:*', ['x.limit:', 'x.limit:y.limit:'], ['x.limit', 'limit:y']],
    ['a*b*a', ['aba', 'axxbxxa', 'abba'], ['a', 'aa', 'ab', 'abab']],
    ['ab*ba', ['abba', 'abxba'], ['aba']],
    ['**a**', ['a', 'xax'], ['x']],
  ])('when the pattern is %s, it matches what it says', (match, those, others) => {
    const rules = new SeriesRules([{ match, enabled: false }]);
    const left = rules.apply(
      [...those, ...others].map((metric) => reading(1, metric)),
      0,
    );
    expect(left.map(({ metric }) => metric)).toEqual(others);
  });

  test('when a pattern has very many stars, a name that fits nearly is answered at once', () => {
    const rules = new SeriesRules([{ match: `${'*a'.repeat(60)}*b`, enabled: false }]);
    expect(rules.apply([reading(1, 'a'.repeat(128))], 0)).toHaveLength(1);
  });

  test('when a pattern holds characters of regular expressions, they are themselves', () => {
    const rules = new SeriesRules([{ match: 'a.b', enabled: false }]);
    expect(rules.apply([reading(1, 'axb')], 0)).toHaveLength(1);
    expect(rules.apply([reading(1, 'a.b')], 0)).toHaveLength(0);
  });
});

test.each([
  [21.5, 'Cel', '[degF]', 70.7],
  [0, 'Cel', 'K', 273.15],
  [0.25, '1', '%', 25],
  [90, 's', 'min', 1.5],
  [1, 'constructor', 'By', undefined],
])('when %d %s is told in %s, it is %s', (value, from, to, expected) => {
  expect(convert(value, from, to)).toBe(expected);
});
