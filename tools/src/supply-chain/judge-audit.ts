/** One known weakness of one installed package, as the registry tells it. */
export interface Finding {
  package: string;
  /** `GHSA-…` */
  advisory: string;
  severity: string;
  title: string;
}

/** What we have looked at and live with, until a day: audit-exceptions.json. */
export interface AuditException {
  package: string;
  advisory: string;
  /** Why it does not reach us, for a reader. */
  reason: string;
  /** The last day on which it counts, `YYYY-MM-DD`; then somebody looks again. */
  until: string;
}

export interface AuditVerdict {
  /** Weaknesses without an exception that still counts. */
  open: Finding[];
  excepted: Finding[];
  /** Exceptions that are over, or that nothing needs any more. */
  stale: AuditException[];
}

interface Report {
  auditReportVersion: 2;
  vulnerabilities: Record<string, { via: (string | { url: string; severity: string; title: string })[] }>;
}

/** Whether it is what `npm audit --json` prints when the registry has answered; anything else tells of a failure. */
export const isReport = (value: unknown): value is Report =>
  typeof value === 'object' &&
  value !== null &&
  'auditReportVersion' in value &&
  value.auditReportVersion === 2;

/** @param today `YYYY-MM-DD` */
export function judgeAudit(
  report: Report,
  exceptions: readonly AuditException[],
  today: string,
): AuditVerdict {
  const findings = Object.entries(report.vulnerabilities).flatMap(([name, { via }]) =>
    // A text names another package that this one is weak because of: that has its own entry.
    via
      .filter((cause) => typeof cause === 'object')
      .map(({ url, severity, title }) => ({
        package: name,
        advisory: url.split('/').at(-1) ?? url,
        severity,
        title,
      })),
  );
  const covers = (exception: AuditException, finding: Finding) =>
    exception.package === finding.package && exception.advisory === finding.advisory;
  const current = exceptions.filter(({ until }) => until >= today);
  const isExcepted = (finding: Finding) => current.some((exception) => covers(exception, finding));
  return {
    open: findings.filter((finding) => !isExcepted(finding)),
    excepted: findings.filter(isExcepted),
    stale: exceptions.filter(
      (exception) => exception.until < today || !findings.some((finding) => covers(exception, finding)),
    ),
  };
}
