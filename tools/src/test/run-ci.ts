/**
 * `npm run ci`: format of every file; lint, types, build and tests of what a change can have touched; the workspace's own
 * checks; and what the README tells a newcomer to do. The last line adds up all of it: format, lint, typecheck and build
 * count as one each, and so does the audit where the registry can be asked.
 * `npm run ci -- --base=REF` compares with REF instead.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { comparisonBase } from './comparison-base.ts';
import { readReport, testPackages } from './package-tests.ts';
import { printTally } from './print-tally.ts';
import { exitCodeOf, run, WORKSPACE } from './run.ts';
import { addTallies, emptyTally, tallyReport, type Tally } from './tally.ts';

/** Exit code of `npm run audit` when nobody could be asked. */
const AUDIT_UNAVAILABLE = 69;

const { values } = parseArgs({ options: { base: { type: 'string' } } });
const base = values.base ?? comparisonBase();
console.log(`compared with ${base}`);

const checks = emptyTally();
check('format', await run('prettier', ['--check', '.'], WORKSPACE));
for (const target of ['lint', 'typecheck', 'build']) {
  check(target, await run('nx', ['affected', `--target=${target}`, `--base=${base}`], WORKSPACE));
}
await audit();
const tests = await testPackages(base);
const readme = await runReadme();
printTally(addTallies(checks, tests, readme));

function check(name: string, ok: boolean): void {
  if (ok) checks.passed += 1;
  else checks.failed.push(name);
}

/**
 * What is known against the packages that we install is no matter of this change, but of this day. A registry that cannot be
 * asked fails nothing, in so many words, unless BOWLINE_AUDIT is `required`.
 */
async function audit(): Promise<void> {
  const code = await exitCodeOf(
    process.execPath,
    [join(WORKSPACE, 'tools/src/supply-chain/audit.ts')],
    WORKSPACE,
  );
  if (code === AUDIT_UNAVAILABLE && process.env['BOWLINE_AUDIT'] !== 'required') return;
  check('audit', code === 0);
}

/** Does, in a clone, what the README says. */
async function runReadme(): Promise<Tally> {
  const tools = join(WORKSPACE, 'tools');
  const report = join(tools, 'reports/readme.json');
  rmSync(report, { force: true });
  await run('vitest', ['run', '--config', 'readme.vitest.config.ts'], tools);
  return tallyReport('README', readReport(report));
}
