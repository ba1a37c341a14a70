import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

const RATE = { burst: 2, everyMs: 1000 };

test('when as many have happened as may at once, the next may a while later', () => {
  const pace = new Pace();
  expect([0, 0, 0, 999].map((at) => pace.take(at, RATE))).toEqual([true, true, false, false]);
  expect(pace.take(2000, RATE)).toBe(true);
});

test('when the rate changes, it counts from then on, and what was used stays used', () => {
  const pace = new Pace();
  expect([0, 0].map((at) => pace.take(at, RATE))).toEqual([true, true]);
  const wider = { burst: 10, everyMs: 100 };
  expect(pace.take(50, wider)).toBe(false);
  expect(pace.take(150, wider)).toBe(true);
  const narrower = { burst: 1, everyMs: 100 };
  expect([9000, 9000].map((at) => pace.take(at, narrower))).toEqual([true, false]);
});
