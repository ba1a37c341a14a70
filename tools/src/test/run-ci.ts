/**
 * `npm run ci`: lint, types, build and tests of what a change can have touched, the workspace's own checks, and what the
 * README tells a newcomer to do. The last line adds up all of it: each of lint, typecheck and build counts as one.
 * `npm run ci -- --base=REF` compares with REF instead.
 */
import { readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { comparisonBase } from './comparison-base.ts';
import { nxEnvironment, runNx, WORKSPACE } from './nx.ts';
import { testPackages } from './package-tests.ts';
import { printTally } from './print-tally.ts';
import { addTallies, emptyTally, tallyReport, type Tally } from './tally.ts';

const { values } = parseArgs({ options: { base: { type: 'string' } } });
const base = values.base ?? comparisonBase();
console.log(`compared with ${base}`);

const checks = emptyTally();
for (const target of ['lint', 'typecheck', 'build']) {
  if (await runNx(['affected', `--target=${target}`, `--base=${base}`])) checks.passed += 1;
  else checks.failed.push(target);
}
const tests = await testPackages(base);
const readme = await runReadme();
printTally(addTallies(checks, tests, readme));

/** Does, in a clone, what the README says. */
async function runReadme(): Promise<Tally> {
  const tools = join(WORKSPACE, 'tools');
  const report = join(tools, 'reports/readme.json');
  rmSync(report, { force: true });
  await new Promise((done) => {
    const child = spawn('vitest', ['run', '--config', 'readme.vitest.config.ts'], {
      cwd: tools,
      env: nxEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', done);
    child.once('close', done);
  });
  return tallyReport('README', readJson(report));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
