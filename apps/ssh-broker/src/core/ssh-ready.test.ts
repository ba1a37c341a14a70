import { checkOutgoing } from '@bowline/messages/outgoing';
import { describe, expect, test } from 'vitest';
import { parseSshdVersion, readinessKey, sshReady } from './ssh-ready.ts';

const ready = {
  version: '1.2.3',
  bootId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  sshd: '/usr/sbin/sshd',
  sshdVersion: 'OpenSSH_9.2p1',
};
const without = { ...ready, sshd: undefined, sshdVersion: undefined };

describe('sshReady', () => {
  test('when there is an sshd, the event names it and fits the contract', () => {
    expect(checkOutgoing('event', sshReady(ready, 5))).toEqual({
      kind: 'ssh.ready',
      severity: 'info',
      at: 5,
      data: ready,
    });
  });

  test('when there is none, the event says so', () => {
    expect(checkOutgoing('event', sshReady(without, 5)).data).toEqual({
      version: '1.2.3',
      bootId: ready.bootId,
      sshd: 'absent',
    });
  });

  test('when anything of it changes, it is another fact, else the same', () => {
    const all = [
      ready,
      { ...ready },
      without,
      { ...ready, sshdVersion: 'OpenSSH_9.9' },
      { ...ready, bootId: 'b' },
    ];
    expect(new Set(all.map(readinessKey)).size).toBe(4);
  });
});

describe('parseSshdVersion', () => {
  test.each([
    ['OpenSSH_9.9p1, OpenSSL 3.0.15\n', 'OpenSSH_9.9p1'],
    ['unknown option -- V\nOpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15\nusage: sshd', 'OpenSSH_9.2p1'],
    ['Dropbear v2022.83', undefined],
    ['', undefined],
  ])('when sshd prints %j, its version is %s', (output, version) => {
    expect(parseSshdVersion(output)).toBe(version);
  });
});
