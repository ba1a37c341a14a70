import { expect, test } from 'vitest';
import { seededRandom } from './seeded-random.ts';

test('when the seed is the same, so are the numbers; another seed gives others', () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => random.integer(0, 1_000_000));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test('when many integers are drawn, each of the range comes up and none outside', () => {
  const random = seededRandom(1);
  const counts = new Map<number, number>();
  for (let i = 0; i < 6_000; i += 1) {
    const drawn = random.integer(1, 6);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(Math.min(...counts.values())).toBeGreaterThan(800);
});
