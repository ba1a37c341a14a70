import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { needs } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { SshFleet } from './ssh-fleet.ts';

describe.runIf(needs('openssh-server') && needs('openssh-client'))('ssh to a device', () => {
  let ssh: SshFleet;
  beforeAll(async () => {
    ssh = await SshFleet.start();
  }, 120_000);

  test('when it is granted, a command runs on the device, and its output and exit code come back', async () => {
    const { code, out } = await ssh.bowline(
      'ssh',
      DEVICE_ID,
      '--reason',
      'a look',
      '--',
      'echo "of $BOWLINE_SESSION"; exit 7',
    );
    expect(out).toMatch(/of [0-9a-f-]{36}/);
    expect(code).toBe(7);
    const [, sessionId = ''] = /of ([0-9a-f-]{36})/.exec(out) ?? [];
    expect(await ssh.ended(sessionId)).toMatchObject({ end: 'ended-by-operator', survivors: 0, streams: 1 });
    expect(readdirSync(ssh.runFolder())).toEqual([]);
  });

  test.runIf(needs('rsync'))('when scp, sftp and rsync are granted, files go both ways whole', async () => {
    const content = randomBytes(3_000_000);
    const local = ssh.file('up.bin', content);
    const remote = ssh.file('remote.bin');
    expect(await ssh.bowline('scp', '--', '-q', local, `${DEVICE_ID}:${remote}`)).toMatchObject({ code: 0 });
    expect(readFileSync(remote).equals(content)).toBe(true);
    expect(
      await ssh.bowline('rsync', '--', '-q', `${DEVICE_ID}:${remote}`, ssh.file('down.bin')),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(ssh.file('down.bin')).equals(content)).toBe(true);
    const batch = ssh.file('batch', `get ${remote} ${ssh.file('sftp.bin')}\n`);
    expect(await ssh.bowline('sftp', '--', '-b', batch, `${DEVICE_ID}:`)).toMatchObject({ code: 0 });
    expect(readFileSync(ssh.file('sftp.bin')).equals(content)).toBe(true);
    expect(existsSync(ssh.file('up.bin'))).toBe(true);
  });
});
