import { globSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { waitForLock } from '@bowline/runtime';
import { affectedProjects, readProjects, type Project } from './nx.ts';
import { COMPILED, run, WORKSPACE } from './run.ts';
import { addTallies, tallyReport, type Tally } from './tally.ts';

/** Checks the workspace as a whole, so it is tested whatever has changed. */
const WHOLE_WORKSPACE = '@bowline/tools';

/**
 * Runs the tests of all packages, or of those that a change since `base` can have touched, and counts what each reported.
 * Reports of earlier runs are removed first; one that Nx brings back from its cache belongs to the same inputs. Two runs in
 * one checkout would remove each other's: the second waits.
 */
export async function testPackages(base?: string): Promise<Tally> {
  const turn = await waitForLock(join(WORKSPACE, '.nx/tests.lock'), {
    log: {
      warn: () => console.log('another npm test is at work in this checkout: waiting until it is done'),
    },
    signal: new AbortController().signal,
  });
  try {
    return await testNow(base);
  } finally {
    turn.release();
  }
}

async function testNow(base: string | undefined): Promise<Tally> {
  forgetOldCompiled();
  const projects = projectsToTest(base);
  for (const { root } of projects) rmSync(join(WORKSPACE, root, 'reports'), { recursive: true, force: true });

  const names = projects.map(({ name }) => name).join(',');
  const ok = await run('nx', ['run-many', '--target=test', `--projects=${names}`], WORKSPACE);

  const tally = addTallies(
    ...projects.map(({ name, root }) =>
      tallyReport(name, readReport(join(WORKSPACE, root, 'reports/vitest.json'))),
    ),
  );
  if (!ok && tally.failed.length === 0) tally.failed.push('nx failed, though no test did');
  return tally;
}

const WEEK_MS = 7 * 86_400_000;

/**
 * What tests compiled in folders that they made for themselves nobody asks for again. Whatever runs meanwhile writes there, too: a
 * file that was listed may have got its final name since.
 */
function forgetOldCompiled(): void {
  for (const file of globSync(join(COMPILED, '*/*'))) {
    const { mtimeMs = Infinity } = statSync(file, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > WEEK_MS) rmSync(file, { force: true });
  }
}

function projectsToTest(base: string | undefined): Project[] {
  const testable = readProjects().filter(({ targets }) => targets.includes('test'));
  if (base === undefined) return testable;
  const affected = new Set([...affectedProjects(base), WHOLE_WORKSPACE]);
  return testable.filter(({ name }) => affected.has(name));
}

/** A JSON report, undefined where there is none that reads. */
export function readReport(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
