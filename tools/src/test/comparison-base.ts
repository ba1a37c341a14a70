import { spawnSync } from 'node:child_process';
import { WORKSPACE } from './run.ts';

/** Git's name of a tree without files: compared with it, everything is new. */
export const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/**
 * What "affected" is compared with: the commit where this branch left origin's default branch. Where there is none to be
 * found (no git, no origin, a shallow clone), or it is this very commit (the default branch itself), the empty tree, so
 * that everything is checked.
 */
export function comparisonBase(workspace = WORKSPACE): string {
  const head = git(workspace, 'rev-parse', 'HEAD');
  const branch = git(workspace, 'rev-parse', '--abbrev-ref', 'origin/HEAD') ?? 'origin/main';
  const base = git(workspace, 'merge-base', 'HEAD', branch);
  return base === undefined || base === head ? EMPTY_TREE : base;
}

function git(workspace: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: workspace, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
