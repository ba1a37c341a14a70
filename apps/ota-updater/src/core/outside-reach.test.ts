import { expect, test } from 'vitest';
import { OutsideReach } from './outside-reach.ts';

test('when the server answers, it counts from the first answer on, and from anew after one that failed', () => {
  const reach = new OutsideReach(1000);
  expect(reach.lastedMs(5)).toBeUndefined();
  reach.answered(true, 10);
  reach.answered(true, 500);
  expect(reach.lastedMs(600)).toBe(590);
  reach.answered(false, 700);
  expect(reach.lastedMs(800)).toBe(0);
  reach.answered(true, 900);
  expect(reach.lastedMs(1000)).toBe(100);
  reach.forget();
  expect(reach.lastedMs(1001)).toBeUndefined();
});

test('when it was asked, it is left alone for a twentieth of the time that decides', () => {
  const reach = new OutsideReach(1000);
  expect(reach.isDue(0)).toBe(true);
  reach.answered(false, 0);
  expect(reach.isDue(49)).toBe(false);
  expect(reach.isDue(50)).toBe(true);
});
