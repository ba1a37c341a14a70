import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readProjects, type Project } from '../test/nx.ts';
import { toolEnvironment } from '../test/run.ts';
import { boundaryBreaches } from './boundaries.ts';
import { addDependency, copyWorkspace, writeInto } from './copied-workspace.ts';

let projects: Project[];
let copy: string;

beforeAll(() => {
  projects = readProjects();
  copy = copyWorkspace();
});

test('when the graph of this workspace is read, it has every package and no breach', () => {
  const kinds = projects.map(({ root }) => root.split('/')[0]);
  expect(kinds.filter((kind) => kind === 'apps').length).toBeGreaterThanOrEqual(8);
  expect(kinds.filter((kind) => kind === 'libs').length).toBeGreaterThanOrEqual(7);
  expect(boundaryBreaches(projects)).toEqual([]);
});

test('when an app of a copied workspace declares another app, the graph shows the breach', () => {
  const spoiled = copyWorkspace();
  addDependency(spoiled, 'apps/ws-gateway', '@bowline/command-executor', '0.1.0');
  addDependency(spoiled, 'apps/fleet-server', '@bowline/ipc', '0.1.0');
  const breaches = boundaryBreaches(readProjects(spoiled)).join('\n');
  expect(breaches).toContain('@bowline/ws-gateway must not depend on @bowline/command-executor');
  expect(breaches).toContain('@bowline/fleet-server must not depend on @bowline/ipc');
});

describe('the linter', () => {
  const RESTRICTED = 'no-restricted-imports';

  /** What the linter says of one new file, run as each package's own `lint` script runs it. */
  function lint(file: string, code: string): string {
    writeInto(copy, file, code);
    const [folder, name, ...path] = file.split('/');
    const args = ['--config', '../../.oxlintrc.json', '--deny-warnings', path.join('/')];
    const cwd = join(copy, folder ?? '', name ?? '');
    const { status, stdout, stderr } = spawnSync('oxlint', args, {
      cwd,
      env: toolEnvironment(),
      encoding: 'utf8',
    });
    expect(status).toBe(stdout.includes('0 errors') ? 0 : 1);
    return stdout + stderr;
  }

  const importing = (...modules: string[]) =>
    modules.map((module, index) => `import { thing as thing${index} } from '${module}';`).join('\n') +
    `\nexport const things = [${modules.map((_, index) => `thing${index}`).join(', ')}];\n`;

  test.each([
    ['apps/ws-gateway/src/probe.ts', '@bowline/command-executor'],
    ['apps/ws-gateway/src/probe.ts', '@bowline/server-sdk'],
    ['apps/ws-gateway/src/probe.ts', '../../../libs/ipc/src/index.ts'],
    ['apps/fleet-server/src/probe.ts', '@bowline/ipc'],
    ['apps/fleet-server/src/probe.ts', '@bowline/durable-queue'],
    ['libs/ipc/src/probe.ts', '@bowline/cli'],
    ['libs/ipc/src/probe.ts', '@bowline/durable-queue'],
    ['libs/server-sdk/src/probe.ts', '@bowline/ipc'],
    ['libs/device-app/src/probe.ts', '@bowline/durable-queue'],
    ['apps/fleet-server/src/probe.ts', '@bowline/device-app'],
    ['libs/messages/src/probe.ts', '@bowline/identity'],
    ['libs/runtime/src/probe.ts', '@bowline/messages'],
    ['apps/command-executor/src/core/probe.ts', 'node:fs'],
    ['apps/command-executor/src/core/probe.ts', 'ws'],
    ['apps/command-executor/src/core/probe.ts', '@bowline/ipc'],
  ])('when %s imports %s, it fails', (file, module) => {
    expect(lint(file, importing(module))).toContain(RESTRICTED);
  });

  test.each([
    ['apps/ws-gateway/src/probe.ts', ['@bowline/ipc', '@bowline/messages/downlink', 'node:fs', 'ws']],
    ['apps/fleet-server/src/probe.ts', ['@bowline/server-sdk', '@bowline/identity']],
    ['libs/server-sdk/src/probe.ts', ['@bowline/identity', '@bowline/messages/uplink', 'ws']],
    ['libs/device-app/src/probe.ts', ['@bowline/identity', '@bowline/ipc', '@bowline/messages/hub']],
    ['libs/runtime/src/probe.ts', ['pino', 'node:fs']],
    [
      'apps/command-executor/src/core/probe.ts',
      ['@bowline/messages', '@bowline/runtime/errors', './probe-two.ts'],
    ],
  ])('when %s imports %j, it passes', (file, modules) => {
    writeInto(copy, file.replace('probe.ts', 'probe-two.ts'), 'export const thing = 1;\n');
    expect(lint(file, importing(...modules))).not.toContain(RESTRICTED);
  });

  test.each(['Date.now()', 'Math.random()', 'process.env', 'performance.now()'])(
    'when the core of an app uses %s, it fails',
    (expression) => {
      const output = lint(
        'apps/command-executor/src/core/probe.ts',
        `export const thing = () => ${expression};\n`,
      );
      expect(output).toContain('core is pure');
    },
  );
});
