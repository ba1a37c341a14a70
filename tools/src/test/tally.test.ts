import { expect, test } from 'vitest';
import { addTallies, lastLine, refuseSkips, tallyReport } from './tally.ts';

const file = (statuses: string[], status = 'passed') => ({
  name: '/x/a.test.ts',
  status,
  assertionResults: statuses.map((each, index) => ({ fullName: `test ${index}`, status: each })),
});

test('when a failure says why, its first lines are listed below its title', () => {
  const failureMessages = [`AssertionError: expected 1 to be 2\n${'    at somewhere\n'.repeat(20)}`];
  const result = { fullName: 'adds', status: 'failed', failureMessages };
  const report = {
    success: false,
    testResults: [{ name: 'x', status: 'failed', assertionResults: [result] }],
  };
  const [failure] = tallyReport('pkg', report).failed;
  expect(failure).toContain('pkg: adds\n      AssertionError: expected 1 to be 2\n');
  expect(failure?.split('\n')).toHaveLength(9);
});

test('when tests passed, failed and were skipped, each is counted and the last two are named', () => {
  const tally = tallyReport('pkg', {
    success: false,
    testResults: [file(['passed', 'failed', 'skipped', 'todo'])],
  });
  expect(tally).toEqual({ passed: 1, failed: ['pkg: test 1'], skipped: ['pkg: test 2', 'pkg: test 3'] });
});

test.each([undefined, null, {}, 'text', { testResults: 3 }])(
  'when there is no readable report (%j), that is one failure',
  (report) => {
    expect(tallyReport('pkg', report).failed).toEqual(['pkg: its tests did not run (no report)']);
  },
);

test('when a file could not be loaded, that is a failure though none of its tests is', () => {
  const report = { success: false, testResults: [file(['passed']), file([], 'failed')] };
  expect(tallyReport('pkg', report)).toMatchObject({
    passed: 1,
    failed: ['pkg: /x/a.test.ts failed outside of its tests'],
  });
});

test('when a report holds no test at all, that is a failure', () => {
  expect(tallyReport('pkg', { success: true, testResults: [] }).failed).toEqual(['pkg: it has no tests']);
});

test('when all tests passed but the run did not, that is a failure', () => {
  const report = { success: false, testResults: [file(['passed'])] };
  expect(tallyReport('pkg', report).failed).toEqual(['pkg: an error outside of its tests']);
});

test('when skips are refused, each becomes a failure and the line says so', () => {
  const tally = tallyReport('pkg', { success: true, testResults: [file(['passed', 'skipped'])] });
  expect(lastLine(tally)).toBe('1 passed, 0 failed, 1 skipped');
  expect(lastLine(refuseSkips(tally))).toBe('1 passed, 1 failed');
});

test('when tallies are added, so are their numbers and names', () => {
  const one = { passed: 2, failed: ['a'], skipped: [] };
  const other = { passed: 3, failed: ['b'], skipped: ['c'] };
  expect(addTallies(one, other)).toEqual({ passed: 5, failed: ['a', 'b'], skipped: ['c'] });
});
