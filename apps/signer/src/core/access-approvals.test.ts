import type { AccessWish, SshGrant } from '@bowline/messages';
import { describe, expect, test } from 'vitest';
import { AccessApprovals, beyondApproval } from './access-approvals.ts';

const WISH: AccessWish = {
  deviceId: 'd1',
  user: 'support',
  reason: 'r',
  seconds: 600,
  capabilities: ['pty', 'exec'],
  streams: 2,
  idleSeconds: 60,
  record: true,
};
const approved = { operator: 'ada', wish: WISH, seq: 1 };

describe('approvals that nobody has taken yet', () => {
  test('when the time of one is over, its code is known for an hour, and then forgotten', () => {
    const approvals = new AccessApprovals({ validMs: 1000, most: 10 });
    approvals.add('a', approved, 0);
    expect(approvals.find('a', 999)?.state).toBe('open');
    expect(approvals.find('a', 1000)?.state).toBe('expired');
    approvals.add('b', approved, 3_601_000);
    expect(approvals.find('a', 3_601_000)?.state).toBe('expired');
    approvals.add('c', approved, 3_601_001);
    expect(approvals.find('a', 3_601_001)).toBeUndefined();
  });

  test('when there are as many as may be, the oldest goes', () => {
    const approvals = new AccessApprovals({ validMs: 1000, most: 2 });
    for (const hash of ['a', 'b', 'c']) approvals.add(hash, approved, 0);
    expect(['a', 'b', 'c'].map((hash) => approvals.find(hash, 0)?.state)).toEqual([
      undefined,
      'open',
      'open',
    ]);
  });
});

describe('a grant by an approval', () => {
  const NOW = 1_000_000;
  const grant: SshGrant = {
    aud: 'd1',
    jti: 'j',
    nbf: NOW,
    exp: NOW + 600,
    sessionId: 's',
    user: 'support',
    publicKey: 'k',
    capabilities: ['exec'],
    streams: 1,
    idleSeconds: 60,
    reason: 'r',
    by: 'ada',
    record: true,
  };

  test('when the clock of the server is ahead by less than half a minute, it is not taken for a longer session', () => {
    const ahead = (seconds: number) =>
      beyondApproval(WISH, { ...grant, nbf: NOW + seconds, exp: NOW + seconds + 600 }, NOW);
    expect(ahead(30)).toBeUndefined();
    expect(ahead(31)).toBe('600 s were approved, not 601 s');
  });

  test('when it is to be recorded and the grant does not say so, it is beyond what was approved', () => {
    expect(beyondApproval(WISH, grant, NOW)).toBeUndefined();
    const { record: _, ...silent } = grant;
    expect(beyondApproval(WISH, silent, NOW)).toBe('it was approved with a recording');
    expect(beyondApproval({ ...WISH, record: false }, grant, NOW)).toBeUndefined();
  });
});
