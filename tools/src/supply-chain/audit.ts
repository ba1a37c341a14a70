/**
 * `npm run audit`: asks the registry for known weaknesses of what the lockfile names, and leaves out those that
 * tools/audit-exceptions.json excepts for a stated time. Exit codes: 0 nothing open; 1 something open, or an exception that is
 * over or not needed; 69 nobody could be asked, so nothing is known.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import { isReport, judgeAudit, type AuditException } from './judge-audit.ts';

/** sysexits(3): a service is unavailable. */
const EX_UNAVAILABLE = 69;
const DEADLINE_MS = 60_000;

const EXCEPTIONS_FILE = 'tools/audit-exceptions.json';
const exceptions = JSON.parse(readFileSync(join(WORKSPACE, EXCEPTIONS_FILE), 'utf8')) as AuditException[];

const { stdout, stderr } = spawnSync('npm', ['audit', '--json', '--fetch-retries=0'], {
  cwd: WORKSPACE,
  encoding: 'utf8',
  timeout: DEADLINE_MS,
});
const report = parse(stdout);
if (isReport(report)) judge(report);
else {
  const why =
    (report as { message?: string } | undefined)?.message ??
    (stderr.trim() || `no answer within ${DEADLINE_MS / 1000} s`);
  console.log(`audit: NOT CHECKED. The registry did not answer the audit: ${why}`);
  console.log(
    'Nothing is known of weaknesses in what is installed. Run it where the registry can be asked: npm run audit',
  );
  process.exitCode = EX_UNAVAILABLE;
}

function judge(answer: Parameters<typeof judgeAudit>[0]): void {
  const today = new Date().toISOString().slice(0, 10);
  const { open, excepted, stale } = judgeAudit(answer, exceptions, today);
  for (const { package: name, advisory, severity, title } of open) {
    console.log(`${severity}: ${name}: ${title} (https://github.com/advisories/${advisory})`);
  }
  for (const { package: name, advisory, until } of stale) {
    console.log(
      `${EXCEPTIONS_FILE}: the exception for ${name}, ${advisory} (until ${until}) is over or not needed`,
    );
  }
  console.log(
    `audit: ${open.length} open, ${excepted.length} excepted, ${stale.length} exceptions to remove`,
  );
  if (open.length > 0)
    console.log(`Update what is weak, or except it for a time, with the reason, in ${EXCEPTIONS_FILE}.`);
  process.exitCode = open.length + stale.length === 0 ? 0 : 1;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
