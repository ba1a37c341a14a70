import { describe, expect, test } from 'vitest';
import { Schedule } from './schedule.ts';

describe('Schedule', () => {
  test('when it begins, everything is due at once but what asks for a moment', () => {
    const schedule = new Schedule(
      [
        { name: 'memory', intervalMs: 10_000, firstAfterMs: 0 },
        { name: 'cpu', intervalMs: 5000, firstAfterMs: 500 },
      ],
      1000,
    );
    expect(schedule.takeDue(1000)).toEqual(['memory']);
    expect(schedule.nextInMs(1000)).toBe(500);
    expect(schedule.takeDue(1500)).toEqual(['cpu']);
  });

  test('when intervals are multiples, their moments fall together and do not drift', () => {
    const schedule = new Schedule(
      [
        { name: 'a', intervalMs: 1000, firstAfterMs: 0 },
        { name: 'b', intervalMs: 2000, firstAfterMs: 500 },
      ],
      0,
    );
    const seen = [0, 503, 1004, 2001, 3007, 4002].map((nowMs) => schedule.takeDue(nowMs));
    expect(seen).toEqual([['a'], ['b'], ['a'], ['a', 'b'], ['a'], ['a', 'b']]);
    expect(schedule.nextInMs(4002)).toBe(998);
  });

  test('when moments were missed, they are not made up for', () => {
    const schedule = new Schedule([{ name: 'a', intervalMs: 1000, firstAfterMs: 0 }], 0);
    expect(schedule.takeDue(3_600_500)).toEqual(['a']);
    expect(schedule.takeDue(3_600_999)).toEqual([]);
    expect(schedule.nextInMs(3_600_999)).toBe(1);
  });

  test('when nothing is scheduled, nothing is ever due', () => {
    expect(new Schedule([], 0).nextInMs(5)).toBe(undefined);
  });
});
