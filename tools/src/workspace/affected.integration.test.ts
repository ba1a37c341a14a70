import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { EMPTY_TREE } from '../test/comparison-base.ts';
import { affectedProjects, readProjects, type Project } from '../test/nx.ts';
import { copyWorkspace, writeInto } from './copied-workspace.ts';

describe.runIf(needs('git'))('nx affected', () => {
  let workspace: string;
  let projects: Project[];
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args], {
      cwd: workspace,
    });

  beforeAll(() => {
    workspace = copyWorkspace();
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'all');
    projects = readProjects(workspace);
  });

  /** What is selected when this file alone has changed. */
  function selectedBy(file: string): string[] {
    appendFileSync(join(workspace, file), '\n');
    try {
      return affectedProjects('HEAD', workspace).toSorted();
    } finally {
      git('checkout', '-q', '--', file);
    }
  }

  function dependentsOf(name: string, found = new Set([name])): string[] {
    for (const project of projects) {
      if (project.dependencies.includes(name) && !found.has(project.name)) {
        found.add(project.name);
        dependentsOf(project.name, found);
      }
    }
    return [...found].toSorted();
  }

  test.each(['runtime', 'messages', 'ipc'])(
    'when the lib %s changes, it and its dependents are selected',
    (lib) => {
      const expected = dependentsOf(`@bowline/${lib}`);
      expect(expected.length).toBeGreaterThan(2);
      expect(selectedBy(`libs/${lib}/src/index.ts`)).toEqual(expected);
    },
  );

  test('when a device lib changes, no app of the cloud is selected', () => {
    expect(selectedBy('libs/ipc/src/index.ts')).not.toContain('@bowline/fleet-server');
  });

  test('when one app changes, only that app is selected', () => {
    const apps = projects.filter(({ root }) => root.startsWith('apps/'));
    for (const { name, root } of apps) {
      expect(selectedBy(`${root}/package.json`)).toEqual([name]);
    }
  });

  test('when a new file is not yet known to git, its package is selected', () => {
    writeInto(workspace, 'apps/cli/src/brand-new.ts', 'export const x = 1;\n');
    expect(affectedProjects('HEAD', workspace)).toContain('@bowline/cli');
    git('clean', '-qfd', 'apps/cli');
  });

  test('when it is compared with the empty tree, everything is selected', () => {
    expect(affectedProjects(EMPTY_TREE, workspace).toSorted()).toEqual(
      projects.map(({ name }) => name).toSorted(),
    );
  });
});
