import { describe, expect, test } from 'vitest';
import { isReport, judgeAudit } from './judge-audit.ts';

/** As npm 11 prints it: `top` is weak because of `deep`. */
const REPORT = {
  auditReportVersion: 2 as const,
  vulnerabilities: {
    top: { via: ['deep'] },
    deep: {
      via: [
        { url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc', severity: 'high', title: 'deep trouble' },
      ],
    },
  },
};
const FINDING = { package: 'deep', advisory: 'GHSA-aaaa-bbbb-cccc', severity: 'high', title: 'deep trouble' };
const EXCEPTION = { package: 'deep', advisory: FINDING.advisory, reason: 'not called', until: '2026-12-31' };
const TODAY = '2026-11-25';

describe('judgeAudit', () => {
  test('when a weakness is known, it is open once, at the package that has it', () => {
    expect(judgeAudit(REPORT, [], TODAY)).toEqual({ open: [FINDING], excepted: [], stale: [] });
  });

  test('when it is excepted, it is not open up to and including the day, and open and stale after it', () => {
    expect(judgeAudit(REPORT, [EXCEPTION], '2026-12-31')).toEqual({
      open: [],
      excepted: [FINDING],
      stale: [],
    });
    expect(judgeAudit(REPORT, [EXCEPTION], '2027-01-01')).toEqual({
      open: [FINDING],
      excepted: [],
      stale: [EXCEPTION],
    });
  });

  test('when the exception is for another package or advisory, it excepts nothing and is stale', () => {
    for (const other of [
      { ...EXCEPTION, package: 'top' },
      { ...EXCEPTION, advisory: 'GHSA-x' },
    ]) {
      expect(judgeAudit(REPORT, [other], TODAY)).toEqual({ open: [FINDING], excepted: [], stale: [other] });
    }
  });
});

test('when the registry refused or nothing came, that is no report', () => {
  const refused = { message: '405 Method Not Allowed - POST …/advisories/bulk', statusCode: 405, error: {} };
  for (const value of [refused, null, '', { auditReportVersion: 1 }]) expect(isReport(value)).toBe(false);
  expect(isReport(REPORT)).toBe(true);
});
