import { expect, test } from 'vitest';
import { grantFor } from './ssh-grant.ts';
import type { SshWish } from './ssh-wish.ts';

const WISH: SshWish = {
  program: 'ssh',
  runs: 'shell',
  localForward: false,
  remoteForward: false,
  agentForward: false,
};
const OPTIONS = { user: 'ada', forMs: 900_000, idleMs: 60_000, reason: 'a look', streams: 1, record: false };
const grant = (session: object = {}, wish: Partial<SshWish> = {}) =>
  grantFor(
    'd1',
    { sessionId: 's1', createdAt: 1_800_000_000_000, operator: 'ada', ...session },
    { ...WISH, ...wish },
    OPTIONS,
    { publicKey: 'ssh-ed25519 AAAA' },
    { orderId: 'o1', jti: 'j1' },
  );

test('when the server answers that the session is good for a week, the operator signs what he said', () => {
  const answer = { expiresAt: 1_800_000_000_000 + 7 * 86_400_000 };
  expect(grant(answer)).toMatchObject({ nbf: 1_800_000_000, exp: 1_800_000_900 });
});

test.each<[string, Partial<SshWish>, string[]]>([
  ['a shell', {}, ['pty', 'exec']],
  ['a command', { runs: 'command' }, ['exec']],
  ['only a forward', { runs: 'nothing', localForward: true }, ['local-forward']],
  ['files', { program: 'scp', runs: 'command' }, ['sftp']],
])('when %s is wanted, no more than that is asked for', (_, wish, capabilities) => {
  expect(grant({}, wish).capabilities).toEqual(capabilities);
});
