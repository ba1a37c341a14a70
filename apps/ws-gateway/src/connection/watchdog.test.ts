import { describe, expect, it } from 'vitest';
import { judge } from './watchdog.ts';

const limits = { pingAfterMs: 30, deadAfterMs: 60, progressDeadlineMs: 60 };

describe('judge', () => {
  it.each([
    ['nothing is wrong', { silentMs: 29, stalledMs: 59, pinged: false }, 'well'],
    ['it is silent', { silentMs: 30, stalledMs: 0, pinged: false }, 'ping'],
    ['it is silent and was asked already', { silentMs: 59, stalledMs: 0, pinged: true }, 'well'],
    ['it stays silent', { silentMs: 60, stalledMs: 0, pinged: true }, 'silent'],
    ['it talks but receipts nothing', { silentMs: 0, stalledMs: 60, pinged: false }, 'stalled'],
  ] as const)('when %s, the verdict fits', (_, facts, verdict) => {
    expect(judge(facts, limits)).toBe(verdict);
  });
});
