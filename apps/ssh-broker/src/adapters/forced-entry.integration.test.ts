import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { SshGrant } from '@bowline/messages';
import { needs, startProcess, temporaryFolder } from '@bowline/testing';
import { v7 as newId } from 'uuid';
import { beforeAll, describe, expect, test } from 'vitest';
import { makePrivilegeFolder } from './find-sshd.ts';
import { Recorder } from './recorder.ts';
import { makeSessionFolder } from './session-folder.ts';

describe.runIf(needs('openssh-server') && needs('openssh-client'))('what sshd lets run', () => {
  const home = temporaryFolder();
  const key = join(home, 'key');
  beforeAll(() => {
    makePrivilegeFolder();
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  });
  const recordings = join(home, 'recordings');
  const recorder = new Recorder({
    folder: recordings,
    maxBytes: 1_000_000,
    keep: 5,
    keepOfSession: 5,
    owner: undefined,
  });

  /** Stock ssh, joined with `sshd -i` by a local pipe. */
  async function session(change: Partial<SshGrant>) {
    const run = join(home, newId());
    mkdirSync(run, { mode: 0o711 });
    const nbf = Math.floor(Date.now() / 1000);
    const grant: SshGrant = {
      aud: 'd1',
      jti: newId(),
      sessionId: newId(),
      user: userInfo().username,
      by: 'ada',
      reason: 'a look',
      nbf,
      exp: nbf + 600,
      idleSeconds: 60,
      capabilities: ['exec'],
      streams: 1,
      publicKey: execFileSync('ssh-keygen', ['-y', '-f', key], { encoding: 'utf8' }),
      ...change,
    };
    const { folder, config, hostKey, letInUntil } = await makeSessionFolder(grant, {
      run: { folder: run, strictModes: false, leftovers: [] },
      sshKeygenPath: '/usr/bin/ssh-keygen',
      userCaFile: undefined,
      expiresAtMs: Date.now() + 600_000,
      recorder: grant.record === true ? recorder : undefined,
    });
    const known = join(run, 'known_hosts');
    writeFileSync(known, `there ${hostKey}\n`);
    const options = [`UserKnownHostsFile=${known}`, `ProxyCommand=/usr/sbin/sshd -i -f ${config}`];
    const fixed = ['-F', '/dev/null', '-i', key, ...options.flatMap((each) => ['-o', each])];
    const ssh = async (...args: string[]) => {
      const child = startProcess('ssh', [...fixed, ...args]);
      const { code } = await child.exited;
      return { code, out: child.stdout(), said: child.stdout() + child.stderr() };
    };
    return { grant, folder, ssh, letInUntil };
  }

  test.each([
    ["echo it\\'s the one", { code: 0, out: "it's the one\n" }],
    ['none', { code: 127, out: '' }],
    ['internal-sftp', { code: 127, out: '' }],
  ])('when the grant says the command %s, it is that and no other', async (command, expected) => {
    const { ssh } = await session({ command });
    expect(await ssh('there', 'echo free')).toMatchObject(expected);
  });

  test('when only a terminal is granted, nothing runs without one', async () => {
    const { ssh } = await session({ capabilities: ['pty'] });
    const without = await ssh('there', 'echo free');
    expect(without).toMatchObject({ code: 1, out: '' });
    expect(without.said).toContain('only what runs on a terminal was granted');
    expect((await ssh('-tt', 'there', 'echo on $(tty)')).out).toContain('on /dev/pts/');
  });

  test('when the clock of the device was set far ahead, a session that is still good lets its operator in', async () => {
    const { ssh, letInUntil } = await session({});
    letInUntil(Date.now() - 86_400_000); // as it was written before the clock was set
    expect(await ssh('there', 'echo in')).toMatchObject({ code: 255, out: '' });
    letInUntil(Date.now() + 60_000);
    expect(await ssh('there', 'echo in')).toMatchObject({ code: 0, out: 'in\n' });
  });

  test('when a terminal is recorded, what it showed is kept, and what has no terminal passes as it is', async () => {
    const { grant, folder, ssh } = await session({ capabilities: ['pty', 'exec'], record: true });
    expect(await ssh('there', 'echo as it is')).toMatchObject({ code: 0, out: 'as it is\n' });
    expect((await ssh('-tt', 'there', 'echo shown $((20 + 3))')).out).toContain('shown 23');
    const { kept } = await recorder.collect(grant, folder, 5_000_000);
    expect(kept.map(({ file }) => readFileSync(file, 'utf8'))).toEqual([expect.stringContaining('shown 23')]);
  });
});
