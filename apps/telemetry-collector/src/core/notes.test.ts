import { FakeClock } from '@bowline/testing';
import { expect, test } from 'vitest';
import { Notes } from './notes.ts';

test('when the same is noted again and again, it is logged once, told now and then, and counted', async () => {
  const clock = new FakeClock();
  const logged: string[] = [];
  let told = 0;
  const notes = new Notes({
    changed: () => (told += 1),
    clock,
    log: { warn: (_: unknown, message?: string) => void logged.push(message ?? '') },
  });
  for (let round = 0; round < 1000; round += 1)
    notes.note('same-moment', `s${round % 2}`, `of s${round % 2}`);
  expect([logged, told]).toEqual([['of s0', 'of s1'], 0]);
  await clock.advance(5000);
  expect(told).toBe(1);
  for (let round = 0; round < 1000; round += 1) notes.note('same-moment', `t${round}`, `of t${round}`);
  await clock.advance(60_000);
  expect([logged.length, told]).toEqual([100, 2]);
  expect(notes.view()).toEqual([{ code: 'same-moment', count: 2000, detail: 'of t999' }]);
});
