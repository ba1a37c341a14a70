import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { findSshd } from './find-sshd.ts';

function program(script: string, mode = 0o700): string {
  const file = join(temporaryFolder(), 'sshd');
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode });
  return file;
}

describe('findSshd', () => {
  test('when the program knows the option, its version is found', async () => {
    const sshd = program('echo "OpenSSH_9.9p1, OpenSSL 3.0.15"');
    expect(await findSshd(sshd)).toEqual({ sshd, sshdVersion: 'OpenSSH_9.9p1' });
  });

  test('when it does not and complains, its version is found in the complaint', async () => {
    const sshd = program(
      'echo "unknown option -- V" >&2; echo "OpenSSH_9.2p1 Debian-2, OpenSSL" >&2; exit 1',
    );
    expect(await findSshd(sshd)).toEqual({ sshd, sshdVersion: 'OpenSSH_9.2p1' });
  });

  test('when it says nothing of a version, it is there without one', async () => {
    const sshd = program('exit 3');
    expect(await findSshd(sshd)).toEqual({ sshd, sshdVersion: undefined });
  });

  test('when it is started, it gets none of what this process knows', async () => {
    process.env['BOWLINE_SSH_BROKER__SECRET'] = 'x';
    const sshd = program('test -n "$PATH" && test -z "$BOWLINE_SSH_BROKER__SECRET" && echo OpenSSH_9.9p1');
    expect((await findSshd(sshd)).sshdVersion).toBe('OpenSSH_9.9p1');
  });

  test('when it is not there or may not be started, there is none', async () => {
    const absent = { sshd: undefined, sshdVersion: undefined };
    expect(await findSshd('/nonexistent/sshd')).toEqual(absent);
    expect(await findSshd(program('exit 0', 0o600))).toEqual(absent);
  });
});
