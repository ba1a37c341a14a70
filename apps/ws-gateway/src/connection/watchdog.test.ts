import { describe, expect, it } from 'vitest';
import { judge } from './watchdog.ts';

const limits = {
  pingAfterMs: 30,
  deadAfterMs: 60,
  progressDeadlineMs: 60,
  missedHeartbeats: 3,
  probeDeadlineMs: 5,
};

describe('judge', () => {
  it.each([
    ['nothing is wrong', { silentMs: 29, stalledMs: 59, pinged: false }, 'well'],
    ['it is silent', { silentMs: 30, stalledMs: 0, pinged: false }, 'ping'],
    ['it is silent and was asked already', { silentMs: 59, stalledMs: 0, pinged: true }, 'well'],
    ['it stays silent', { silentMs: 60, stalledMs: 0, pinged: true }, 'silent'],
    ['it does not answer a probe', { silentMs: 5, stalledMs: 0, pinged: true, probedMs: 5 }, 'silent'],
    ['it has time to answer a probe', { silentMs: 4, stalledMs: 0, pinged: true, probedMs: 4 }, 'well'],
    [
      'it talks but has not answered two heartbeats',
      { silentMs: 0, stalledMs: 0, pinged: false, missed: 2 },
      'well',
    ],
    [
      'it talks but answers no heartbeat',
      { silentMs: 0, stalledMs: 0, pinged: false, missed: 3 },
      'heartbeats-missed',
    ],
    ['it talks but receipts nothing', { silentMs: 0, stalledMs: 60, pinged: false }, 'stalled'],
  ] as const)('when %s, the verdict fits', (_, facts, verdict) => {
    expect(judge({ probedMs: undefined, missed: 0, ...facts }, limits)).toBe(verdict);
  });

  it('when a link is to be given up before it is to be asked, it is asked all the same', () => {
    const facts = { silentMs: 11, stalledMs: 0, pinged: false, probedMs: undefined, missed: 0 };
    expect(judge(facts, { ...limits, deadAfterMs: 22 })).toBe('ping');
  });
});
