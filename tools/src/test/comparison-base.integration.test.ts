import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { comparisonBase, EMPTY_TREE } from './comparison-base.ts';

const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8' }).trim();

function commit(folder: string, file: string): string {
  writeFileSync(join(folder, file), file);
  git(folder, 'add', file);
  git(folder, 'commit', '-q', '-m', file);
  return git(folder, 'rev-parse', 'HEAD');
}

/** An origin with two commits on a default branch of another name than ours. */
function origin(): { folder: string; head: string } {
  const folder = temporaryFolder();
  git(folder, 'init', '-q', '-b', 'trunk');
  commit(folder, 'one');
  return { folder, head: commit(folder, 'two') };
}

function clone(from: string, ...options: string[]): string {
  const folder = join(temporaryFolder(), 'clone');
  git('/', 'clone', '-q', ...options, `file://${from}`, folder);
  return folder;
}

describe.runIf(needs('git'))('the base of affected', () => {
  test('when a branch has commits of its own, it is where the branch left the default one', () => {
    const { folder, head } = origin();
    const branch = clone(folder);
    git(branch, 'checkout', '-q', '-b', 'feature');
    commit(branch, 'three');
    expect(comparisonBase(branch)).toBe(head);
  });

  test('when nothing was added to the default branch, it is the empty tree', () => {
    expect(comparisonBase(clone(origin().folder))).toBe(EMPTY_TREE);
  });

  test('when the clone is shallow, it is the empty tree', () => {
    const shallow = clone(origin().folder, '--depth=1');
    commit(shallow, 'three');
    git(shallow, 'update-ref', '-d', 'refs/remotes/origin/trunk');
    expect(comparisonBase(shallow)).toBe(EMPTY_TREE);
  });

  test('when the folder is no git repository, it is the empty tree', () => {
    expect(comparisonBase(temporaryFolder())).toBe(EMPTY_TREE);
  });
});
