import { expect, test } from 'vitest';
import { judgeTrial, type TrialView } from './judge-trial.ts';
import { waitedMs, whyNotNow } from './may-switch.ts';
import { fetchProgress, progressOf } from './progress.ts';

const limits = {
  graceMs: 100,
  soakMs: 200,
  trialMaxMs: 1000,
  linkBackMs: 400,
  bootLoopRestarts: 3,
  probeFailures: 2,
  bootLoopTrials: 3,
};
const well: TrialView = {
  elapsedMs: 300,
  trialMs: 300,
  trial: 1,
  process: { up: true, restarts: 0 },
  probe: { asked: true, badInARow: 0, lastBadMs: 0, why: '' },
  wasOnline: true,
  online: true,
  outsideReachesMs: undefined,
};
const judged = (change: Partial<TrialView>) => {
  const verdict = judgeTrial({ ...well, ...change }, limits);
  return verdict.kind === 'fail' ? `${verdict.code}${verdict.deny ? '' : ', not denied'}` : verdict.kind;
};

test('when it was well through grace and soak, it is kept; not a moment earlier', () => {
  expect(judged({})).toBe('commit');
  expect(judged({ elapsedMs: 299 })).toBe('go-on');
  expect(judged({ process: undefined, probe: undefined })).toBe('commit');
  expect(judged({ probe: { asked: false, badInARow: 0, lastBadMs: 0, why: '' } })).toBe('go-on');
});

test('when who watches it is started anew again and again, it ends all the same, and nobody is to blame', () => {
  expect(judged({ elapsedMs: 10, trialMs: 1299 })).toBe('go-on');
  expect(judged({ elapsedMs: 10, trialMs: 1300 })).toBe('inconclusive, not denied');
  expect(judged({ elapsedMs: 300, trialMs: 1300 })).toBe('commit');
  const lost = { online: false, outsideReachesMs: 0 };
  expect(judged({ ...lost, elapsedMs: 300, trialMs: 999 })).toBe('ask-outside');
  expect(judged({ ...lost, elapsedMs: 300, trialMs: 1000 })).toBe('inconclusive, not denied');
});

test('when its process is down or was restarted, that is forgiven only while it starts, and a boot loop never', () => {
  const down = { up: false, restarts: 0 };
  expect(judged({ elapsedMs: 99, process: down })).toBe('go-on');
  expect(judged({ elapsedMs: 100, process: down })).toBe('process-down');
  expect(judged({ elapsedMs: 99, process: { up: true, restarts: 2 } })).toBe('go-on');
  expect(judged({ elapsedMs: 150, process: { up: true, restarts: 1 } })).toBe('process-restarted');
  expect(judged({ elapsedMs: 1, process: { up: true, restarts: 3 } })).toBe('boot-loop');
  expect(judged({ elapsedMs: 0, trial: 4 })).toBe('boot-loop');
});

test('when its probe is bad, that counts after the grace, and several times in a row', () => {
  const bad = (badInARow: number) => ({ asked: true, badInARow, lastBadMs: 0, why: 'no' });
  expect(judged({ elapsedMs: 50, probe: bad(9) })).toBe('go-on');
  expect(judged({ elapsedMs: 150, probe: bad(1) })).toBe('go-on');
  expect(judged({ probe: bad(1) })).toBe('go-on');
  expect(judged({ elapsedMs: 150, probe: bad(2) })).toBe('probe-failed');
});

test('when its probe is bad now and then, it must be good through a whole soak, and is not waited for for ever', () => {
  const badAt = (lastBadMs: number) => ({ asked: true, badInARow: 0, lastBadMs, why: 'no' });
  expect(judged({ probe: badAt(99) })).toBe('commit');
  expect(judged({ probe: badAt(101) })).toBe('go-on');
  expect(judged({ elapsedMs: 301, probe: badAt(101) })).toBe('commit');
  expect(judged({ elapsedMs: 999, probe: badAt(900) })).toBe('go-on');
  expect(judged({ elapsedMs: 1000, probe: badAt(900) })).toBe('probe-failed');
});

test('when only the link is missing, the outside is asked, and an outage of the cloud is nobody’s fault', () => {
  const lost = { online: false };
  expect(judged(lost)).toBe('ask-outside');
  expect(judged({ ...lost, outsideReachesMs: 0 })).toBe('ask-outside');
  expect(judged({ ...lost, outsideReachesMs: 0, elapsedMs: 1000 })).toBe('inconclusive, not denied');
  expect(judged({ ...lost, wasOnline: false })).toBe('commit');
});

test('when the server answers again, the link has time to come back before the release is at fault', () => {
  const lost = { online: false };
  expect(judged({ ...lost, outsideReachesMs: 399 })).toBe('ask-outside');
  expect(judged({ ...lost, outsideReachesMs: 400 })).toBe('link-lost');
  expect(judged({ ...lost, outsideReachesMs: 399, elapsedMs: 1000 })).toBe('inconclusive, not denied');
  expect(judged({ outsideReachesMs: 399 })).toBe('commit');
});

test('when holds, shells and a link that is down put an update off, they do so for a limited time; the window always counts', () => {
  const now = {
    nowMs: 1000,
    waitedMs: 1000,
    holds: [],
    sshSessions: 0,
    linkDown: false,
    windowOpensAt: undefined,
    maxDeferMs: 5000,
  };
  expect(whyNotNow(now)).toBeUndefined();
  const hold = { owner: 'oven', until: 9000 };
  expect(whyNotNow({ ...now, holds: [hold] })).toMatch(/^held by oven until 1970-01-01T00:00:09/);
  expect(whyNotNow({ ...now, holds: [{ ...hold, until: 1000 }] })).toBeUndefined();
  expect(whyNotNow({ ...now, sshSessions: 2 })).toBe('2 ssh sessions are open');
  expect(whyNotNow({ ...now, linkDown: true })).toContain('the link to the cloud is down');
  const late = { ...now, waitedMs: 5000 };
  expect(whyNotNow({ ...late, holds: [hold], sshSessions: 1, linkDown: true })).toBeUndefined();
  expect(whyNotNow({ ...now, windowOpensAt: 1001 })).toContain('outside the maintenance window');
  expect(whyNotNow({ ...now, windowOpensAt: 1000 })).toBeUndefined();
  expect(whyNotNow({ ...now, windowOpensAt: Infinity })).toContain('ever opens');
});

test('when an update goes on, its percent only rises, and the rest is told in seconds', () => {
  const phases = [
    'accepted',
    'fetching',
    'staging',
    'staged',
    'switching',
    'trial',
    'committing',
    'committed',
  ] as const;
  const percents = phases.flatMap((phase) => [progressOf(phase, 0).percent, progressOf(phase, 1).percent]);
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  expect(percents.at(-1)).toBe(100);
  expect(fetchProgress(250, 1000, 100)).toEqual({
    phase: 'fetching',
    percent: 17.5,
    bytes: 250,
    totalBytes: 1000,
    bytesPerSecond: 100,
    remainingSeconds: 8,
  });
  expect(fetchProgress(0, 1000, 0)).not.toHaveProperty('remainingSeconds');
});

test('when the clock is set while an order waits, that makes no days of it', () => {
  const builtMs = Date.UTC(2026, 0, 1);
  const now = { wallMs: builtMs + 10_000_000, sinceBootMs: 70_000, bootId: 'one', builtMs };
  const lost = { acceptedAt: 5000, acceptedIn: { id: 'one', atMs: 10_000 } };
  expect(waitedMs(lost, now)).toBe(60_000);
  expect(waitedMs(lost, { ...now, bootId: 'two' })).toBe(70_000);
  expect(waitedMs({ acceptedAt: 5000 }, now)).toBe(70_000);
  expect(waitedMs({ acceptedAt: builtMs + 1_000_000 }, now)).toBe(9_000_000);
  expect(waitedMs({ acceptedAt: builtMs + 1_000_000 }, { ...now, wallMs: 0 })).toBe(0);
});
