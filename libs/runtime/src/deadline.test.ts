import { expect, test } from 'vitest';
import { deadlineIn, overAt } from './deadline.ts';

const at = (wallMs: number, sinceBootMs: number) => ({
  wallMs: () => wallMs,
  sinceBootMs: () => sinceBootMs,
});
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 1);

test('when the clock is set within the boot, a deadline is as far away as it was; in another boot the wall clock counts', () => {
  const deadline = deadlineIn(HOUR, at(0, 5000), 'one');
  expect(overAt(deadline, at(NOW, 65_000), 'one')).toBe(NOW + HOUR - 60_000);
  expect(overAt(deadline, at(NOW, 65_000), 'two')).toBe(HOUR);
  expect(overAt({ until: 7 }, at(NOW, 0), 'one')).toBe(7);
});
