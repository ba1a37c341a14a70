import { describe, expect, test } from 'vitest';
import type { Capability } from './capabilities.ts';
import { authorizedKey, plainPublicKey, sshdConfig, type SessionFacts } from './sshd-config.ts';

const grant = { sessionId: 's1', user: 'support' };
const facts = (
  capabilities: Capability[],
  change: object = {},
  more: Partial<SessionFacts> = {},
): SessionFacts => ({
  grant: { ...grant, ...change },
  capabilities: new Set(capabilities),
  files: { hostKey: '/r/host_key', authorizedKeys: '/r/authorized_keys', principals: '/r/principals' },
  userCaFile: undefined,
  strictModes: true,
  entry: undefined,
  ...more,
});
const config = (...args: Parameters<typeof facts>) => sshdConfig(facts(...args)).split('\n');

describe('sshdConfig', () => {
  test('when nothing is granted, nothing can be done', () => {
    expect(config([])).toEqual(
      expect.arrayContaining([
        'AllowUsers support',
        'PermitRootLogin no',
        'PermitTTY no',
        'AllowTcpForwarding no',
        'AllowStreamLocalForwarding no',
        'AllowAgentForwarding no',
        'PasswordAuthentication no',
        'ForceCommand /bin/false',
        'SetEnv BOWLINE_SESSION=s1',
      ]),
    );
    expect(config([]).join('\n')).not.toContain('Subsystem');
  });

  test('when one thing is granted, that is allowed and nothing beside it', () => {
    expect(config(['sftp'])).toContain('ForceCommand internal-sftp');
    expect(config(['exec', 'local-forward'])).toEqual(
      expect.arrayContaining(['AllowTcpForwarding local', 'PermitTTY no']),
    );
    expect(config(['exec', 'remote-forward'])).toContain('AllowTcpForwarding remote');
    expect(config(['pty', 'local-forward', 'remote-forward'])).toContain('AllowTcpForwarding yes');
    expect(config(['pty']).some((line) => line.startsWith('ForceCommand'))).toBe(false);
  });

  test('when a unix socket is forwarded to, only one who may run any program gets there, and none is made here', () => {
    const sockets = (...args: Parameters<typeof facts>) =>
      config(...args).find((line) => line.startsWith('AllowStreamLocalForwarding'));
    expect(sockets(['local-forward'])).toMatch(/ no$/);
    expect(sockets(['sftp', 'local-forward', 'remote-forward'])).toMatch(/ no$/);
    expect(sockets(['exec', 'local-forward'], { command: 'uptime' })).toMatch(/ no$/);
    expect(sockets(['pty', 'remote-forward'])).toMatch(/ no$/);
    expect(sockets(['exec', 'local-forward', 'remote-forward'])).toMatch(/ local$/);
  });

  test('when there is a script to go through, it is forced where programs may run, by sh', () => {
    const entry = '/r/entry';
    expect(config(['exec'], {}, { entry })).toContain('ForceCommand /bin/sh /r/entry');
    expect(config(['sftp'], {}, { entry })).toContain('ForceCommand internal-sftp');
  });

  test('when a principal is named, certificates of the authority count and no key', () => {
    const lines = config(['pty'], { principal: 's1' }, { userCaFile: '/etc/ca.pub' });
    expect(lines).toEqual(
      expect.arrayContaining([
        'TrustedUserCAKeys "/etc/ca.pub"',
        'AuthorizedPrincipalsFile "/r/principals"',
        'AuthorizedKeysFile none',
      ]),
    );
    expect(config(['pty'], { user: 'root' })).toContain('PermitRootLogin prohibit-password');
  });
});

test('when a key is let in, it is restricted to what was granted and expires on the clock of the device', () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  expect(authorizedKey('ssh-ed25519 AAAA', new Set(['pty', 'local-forward']), at)).toBe(
    'restrict,pty,port-forwarding,expiry-time="20260102030405Z" ssh-ed25519 AAAA\n',
  );
});

test.each([
  ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 comment', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5'],
  [
    'ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ=',
    'ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ=',
  ],
  ['command="rm" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5', undefined],
  ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\nssh-ed25519 BBBB', undefined],
  ['ssh-dss AAAAC3NzaC1lZDI1NTE5', undefined],
  ['', undefined],
])('when a public key is %j, it is taken as %j', (text, expected) => {
  expect(plainPublicKey(text)).toBe(expected);
});
