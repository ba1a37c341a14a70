import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { writeInto } from '../workspace/copied-workspace.ts';
import { toolEnvironment, WORKSPACE } from './run.ts';

const PASSES = `test('when it runs, it passes', () => {});`;
const IS_SKIPPED = `test.skip('when it is skipped, it is named', () => {});`;
const FAILS = `test('when it runs, it fails', () => { throw new Error('no'); });`;

/** A small workspace with the real runner and packages that have these tests. */
function workspaceOf(packages: Record<string, { code: string; test?: string }>): string {
  const workspace = join(temporaryFolder(), 'workspace');
  mkdirSync(workspace);
  for (const path of [
    'nx.json',
    'package.json',
    'package-lock.json',
    'tsconfig.base.json',
    'tools',
    'libs/testing',
  ]) {
    const filter = (source: string) => !/\/(node_modules|dist|reports|tsconfig\.json)$/.test(source);
    cpSync(join(WORKSPACE, path), join(workspace, path), { recursive: true, filter });
  }
  symlinkSync(join(WORKSPACE, 'node_modules'), join(workspace, 'node_modules'));
  writeInto(workspace, 'tools/package.json', JSON.stringify({ name: '@bowline/tools', type: 'module' }));
  writeInto(
    workspace,
    'libs/testing/package.json',
    JSON.stringify({ name: '@bowline/testing', type: 'module' }),
  );
  for (const [name, { code, test: script }] of Object.entries(packages)) {
    const command = script ?? 'vitest run --config ../../tools/vitest.config.ts';
    const manifest = { name: `@bowline/${name}`, type: 'module', scripts: { test: command } };
    writeInto(workspace, `libs/${name}/package.json`, JSON.stringify(manifest));
    writeInto(workspace, `libs/${name}/src/a.test.ts`, `import { test } from 'vitest';\n${code}\n`);
  }
  return workspace;
}

async function runTests(workspace: string, ci?: string) {
  const env = { ...toolEnvironment(), CI: ci };
  const child = startProcess('node', ['tools/src/test/run-tests.ts'], { cwd: workspace, env });
  const { code } = await child.exited;
  const lines = child.stdout().trimEnd().split('\n');
  return { code, lastLine: lines.at(-1), output: child.stdout() };
}

test('when tests pass and one is skipped, it is named, the numbers are true and the exit code is 0', async () => {
  const workspace = workspaceOf({ one: { code: PASSES + IS_SKIPPED }, two: { code: PASSES } });
  const { code, lastLine, output } = await runTests(workspace);
  expect({ code, lastLine }).toEqual({ code: 0, lastLine: '2 passed, 0 failed, 1 skipped' });
  expect(output).toContain('@bowline/one: when it is skipped, it is named');
});

test('when CI is set, a skipped test is a failure', async () => {
  const { code, lastLine } = await runTests(workspaceOf({ one: { code: PASSES + IS_SKIPPED } }), 'true');
  expect({ code, lastLine }).toEqual({ code: 1, lastLine: '1 passed, 1 failed' });
});

test('when a test fails, it is named and the exit code is 1', async () => {
  const { code, lastLine, output } = await runTests(
    workspaceOf({ one: { code: FAILS }, two: { code: PASSES } }),
  );
  expect({ code, lastLine }).toEqual({ code: 1, lastLine: '1 passed, 1 failed' });
  expect(output).toContain('@bowline/one: when it runs, it fails');
});

test('when the tests of a package do not run at all, its old report does not count', async () => {
  const workspace = workspaceOf({
    one: { code: PASSES, test: 'node -e "process.exit(0)"' },
    two: { code: PASSES },
  });
  const old = {
    success: true,
    testResults: [{ name: 'a', status: 'passed', assertionResults: [{ status: 'passed' }] }],
  };
  writeInto(workspace, 'libs/one/reports/vitest.json', JSON.stringify(old));
  const { code, lastLine, output } = await runTests(workspace);
  expect({ code, lastLine }).toEqual({ code: 1, lastLine: '1 passed, 1 failed' });
  expect(output).toContain('@bowline/one: its tests did not run');
});

test('when nothing has changed since the last run, the numbers are the same', async () => {
  const workspace = workspaceOf({ one: { code: PASSES } });
  const first = await runTests(workspace);
  const second = await runTests(workspace);
  expect(second.output).toMatch(/cache/i);
  expect(second.lastLine).toBe(first.lastLine);
});

test('when two runs are started at once, the second waits and both count everything', async () => {
  const workspace = workspaceOf({ one: { code: PASSES }, two: { code: PASSES } });
  const runs = await Promise.all([runTests(workspace), runTests(workspace)]);
  expect(runs.map(({ lastLine }) => lastLine)).toEqual(['2 passed, 0 failed', '2 passed, 0 failed']);
});
