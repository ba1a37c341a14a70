/** What came of some tests or checks, added up for the last line of `npm test` and `npm run ci`. */
export interface Tally {
  passed: number;
  /** One entry a failure, as it is listed at the end. */
  failed: string[];
  skipped: string[];
}

export const emptyTally = (): Tally => ({ passed: 0, failed: [], skipped: [] });

export function addTallies(...tallies: Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.flatMap(({ failed }) => failed),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  };
}

/** Where nothing may be left out (`CI` is set), a skipped test is a failed one. */
export const refuseSkips = ({ passed, failed, skipped }: Tally): Tally => ({
  passed,
  failed: [...failed, ...skipped.map((title) => `${title} (skipped, and CI allows no skip)`)],
  skipped: [],
});

/** The part of Vitest's JSON report that counts. */
interface VitestReport {
  success: boolean;
  testResults: {
    name: string;
    status: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

/**
 * Counts one package's report. No report, one without tests, a file that could not be loaded and an error outside of any
 * test are failures: tests that did not run have not passed.
 */
export function tallyReport(packageName: string, report: unknown): Tally {
  const tally = emptyTally();
  const fail = (what: string) => tally.failed.push(`${packageName}: ${what}`);
  if (!isVitestReport(report)) {
    fail('its tests did not run (no report)');
    return tally;
  }
  for (const { name, status, assertionResults } of report.testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') tally.passed += 1;
      else if (test.status === 'failed') fail(`${test.fullName}${firstLines(test.failureMessages)}`);
      else tally.skipped.push(`${packageName}: ${test.fullName}`);
    }
    const named = assertionResults.some((test) => test.status === 'failed');
    if (status === 'failed' && !named) fail(`${name} failed outside of its tests`);
  }
  if (tally.passed + tally.failed.length + tally.skipped.length === 0) fail('it has no tests');
  if (!report.success && tally.failed.length === 0) fail('an error outside of its tests');
  return tally;
}

/** How a failure begins, below its title: enough to tell what it was where only the end of a log is kept. */
function firstLines(messages: string[] = []): string {
  return messages
    .flatMap((message) => message.split('\n').slice(0, 8))
    .map((line) => `\n      ${line}`)
    .join('');
}

function isVitestReport(value: unknown): value is VitestReport {
  return (
    typeof value === 'object' && value !== null && 'testResults' in value && Array.isArray(value.testResults)
  );
}

/** The closing line: `N passed, N failed`, and `, N skipped` if there are any. */
export function lastLine({ passed, failed, skipped }: Tally): string {
  const skips = skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
  return `${passed} passed, ${failed.length} failed${skips}`;
}
