import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WORKSPACE } from './run.ts';

/** A checkout in which nothing has been built yet, as far as a module loader can see. */
const NOTHING_GENERATED = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, nextLoad) {
      if (url.includes('/src/generated/')) throw new Error(url + ' is not built yet');
      return nextLoad(url, context);
    },
  });
`)}`;

function start(script: string, ...args: string[]) {
  const all = ['--import', NOTHING_GENERATED, join(WORKSPACE, 'tools/src', script), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe.each([
  { script: 'torture/main.ts', known: 'crash', kind: 'campaign' },
  { script: 'bench/run-bench.ts', known: 'delivery', kind: 'benchmark' },
])('$script in a checkout that has seen nothing but npm ci', ({ script, known, kind }) => {
  test.each([
    { args: [], says: `Which ${kind}?` },
    { args: ['crahs'], says: `There is no ${kind} "crahs".` },
    { args: [known, 'fast'], says: `One ${kind} at a time` },
    { args: [known, '--sed', '3'], says: "Unknown option '--sed'" },
    { args: [known, '--seed', 'abc'], says: '--seed takes a whole number' },
  ])('when it is called with $args, it says what is wrong and what it knows', ({ args, says }) => {
    const { status, stdout, stderr } = start(script, ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(stderr).toMatch(new RegExp(`^  NAME +.*${known}`, 'm'));
    expect(stderr).not.toContain('    at ');
  });
});

test.each(['demo/start-demo.ts', 'demo/end-run.ts', 'demo/report.ts'])(
  'when %s is loaded in a checkout that has seen nothing but npm ci, it misses nothing',
  (script) => {
    const load = `await import(${JSON.stringify(join(WORKSPACE, 'tools/src', script))}); process.exit(0);`;
    const args = ['--import', NOTHING_GENERATED, '--input-type=module', '--eval', load];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
);
