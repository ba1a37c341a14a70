import { expect, test } from 'vitest';
import { diffOf } from './config-diff.ts';

test('when two documents differ, each key that does is named with what both say', () => {
  const before = { a: { x: 1, deep: { y: [1, 2] } }, gone: { z: true } };
  const after = { a: { x: 2, deep: { y: [1, 2] }, more: 'n' }, empty: {} };
  expect(diffOf(before, after)).toEqual([
    { key: 'a.x', from: 1, to: 2 },
    { key: 'a.more', to: 'n' },
    { key: 'gone.z', from: true },
  ]);
  expect(diffOf(before, before)).toEqual([]);
});
