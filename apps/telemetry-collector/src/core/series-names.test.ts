import { expect, test } from 'vitest';
import { SeriesNames } from './series-names.ts';

function setUp() {
  const notes: string[] = [];
  const names = new SeriesNames({
    note: (code, name, detail) => void notes.push(`${code} ${name}: ${detail}`),
  });
  return { names, notes };
}

test.each([
  ['a character that a name may not hold', ['a b'], ['a_b']],
  ['another such character', ['a b'], ['a=b']],
  ['what stands between the parts', ['a', 'b', 'c'], ['a', 'b:c']],
])('when two names differ by %s, it is said that they are one, whichever comes first', (_, first, second) => {
  for (const [one, other] of [
    [first, second],
    [second, first],
  ]) {
    const { names, notes } = setUp();
    for (const [metric = '', ...parts] of [one, other, one, other].map((each) => each ?? []))
      names.of(metric, parts);
    expect(notes.length).toBeGreaterThan(0);
    expect(notes[0]).toMatch(/^names-joined \S+: "a[^"]*" and "a[^"]*" are both series a/);
  }
});

test('when names stand for themselves, or one comes again, nothing is said', () => {
  const { names, notes } = setUp();
  for (let round = 0; round < 2; round += 1)
    for (const [metric = '', ...parts] of [
      ['a b'],
      ['a', 'b'],
      ['a', 'k:v'],
      ['x'.repeat(200)],
      ['/mnt/x y'],
    ])
      names.of(metric, parts);
  expect(notes).toEqual([]);
});

test('when names are made up without end, memory is not', () => {
  const { names, notes } = setUp();
  for (let index = 0; index < 20_000; index += 1) names.of(`a ${index}`);
  names.of('a_19999');
  expect(notes).toEqual([]);
  names.of('a_1');
  expect(notes).toHaveLength(1);
});
