import { existsSync, mkdirSync, readlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { ReleaseTrees } from './release-trees.ts';

const digest = (letter: string) => letter.repeat(64);

function treesOf(...letters: string[]): ReleaseTrees {
  const trees = new ReleaseTrees(temporaryFolder(), 'kiosk');
  for (const [age, letter] of letters.entries()) {
    mkdirSync(trees.treeOf(digest(letter)), { recursive: true });
    utimesSync(trees.treeOf(digest(letter)), 1000 + age, 1000 + age);
  }
  return trees;
}

test('when current is pointed elsewhere, it leads there relatively, and to nothing when nothing is in place', () => {
  const trees = treesOf('a', 'b');
  expect(trees.current()).toBeUndefined();
  trees.pointTo(digest('a'));
  trees.pointTo(digest('b'));
  expect(trees.current()).toBe(digest('b'));
  expect(readlinkSync(join(trees.folder, 'current'))).toBe(digest('b'));
  trees.pointToNothing();
  expect(trees.current()).toBeUndefined();
});

test('when old trees are pruned, those to be kept stay, and one that a process works in', async () => {
  const trees = treesOf('a', 'b', 'c', 'd');
  expect(trees.trees()).toEqual(['d', 'c', 'b', 'a'].map(digest));
  const inside = join(trees.treeOf(digest('a')), 'deep');
  mkdirSync(inside);
  const worker = startProcess('/bin/sleep', ['600'], { cwd: inside });
  expect(trees.prune([digest('d'), undefined])).toEqual([digest('c'), digest('b')]);
  expect(existsSync(inside)).toBe(true);
  await worker.kill();
  expect(trees.prune([digest('d')])).toEqual([digest('a')]);
});
