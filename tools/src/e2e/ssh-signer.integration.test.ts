import { userInfo } from 'node:os';
import { join } from 'node:path';
import { needs } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { SshFleet } from './ssh-fleet.ts';
import { signerToken, TestSigner } from './test-signer.ts';

const ME = userInfo().username;

describe.runIf(needs('openssh-server') && needs('openssh-client'))('ssh by the word of a signer', () => {
  let ssh: SshFleet;
  let signer: TestSigner;
  beforeAll(async () => {
    ssh = await SshFleet.start();
    const access = join(ssh.home, '.config/bowline/keys/access.pem');
    signer = await TestSigner.start(
      { access },
      {
        ada: { sshAccess: { users: [ME], audiences: [DEVICE_ID], maxSeconds: 1800 } },
        bob: { command: { names: ['*'], audiences: ['*'], maxSeconds: 1800 } },
      },
    );
  }, 180_000);

  const as = (operator: string) => ({ ...ssh.env, BOWLINE_SIGNER_TOKEN: signerToken(operator) });

  test('when its policy allows it, a session is opened in the name by which the signer knows the operator', async () => {
    const words = ['--signer', signer.url, '--reason', 'a look', '--', 'echo "of $BOWLINE_SESSION"'];
    const { code, out } = await ssh.bowlineWith(as('ada'), 'ssh', DEVICE_ID, ...words);
    const [, sessionId = ''] = /of ([0-9a-f-]{36})/.exec(out) ?? [];
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/of [0-9a-f-]{36}/) });
    expect(await ssh.ended(sessionId)).toMatchObject({ end: 'ended-by-operator', by: 'ada', survivors: 0 });
    expect(signer.audit().at(-1)).toMatchObject({
      operator: 'ada',
      type: 'sshAccess',
      outcome: 'signed',
      claims: { aud: DEVICE_ID, sessionId, user: ME, reason: 'a look', by: 'ada' },
    });
  });

  test('when its policy is against it, the rule is told, and no session is left at the server', async () => {
    const refused = async (operator: string, ...options: string[]) => {
      const args = ['ssh', DEVICE_ID, '--signer', signer.url, ...options, '--', 'true'];
      const { code, out } = await ssh.bowlineWith(as(operator), ...args);
      return `${code} ${out}`;
    };
    expect(await refused('ada', '--user', 'daemon')).toMatch(
      /^6 .*\/sshAccess\/users does not permit daemon/,
    );
    expect(await refused('ada', '--for', '45m')).toMatch(/^6 .*\/sshAccess\/maxSeconds permits 1800 s/);
    expect(await refused('bob')).toMatch(/^6 .*\/sshAccess is not allowed/);
    expect(await ssh.sessions()).toEqual([]);
  });

  test('when the token of the signer is wrong, it says whose token it is and where it comes from', async () => {
    const { code, out } = await ssh.bowlineWith(
      as('nobody'),
      ...['ssh', DEVICE_ID, '--signer', signer.url, '--', 'true'],
    );
    expect(code).toBe(6);
    expect(out).toContain('The signer refused (401): the token of the signer is missing or wrong');
    expect(out).toContain('BOWLINE_SIGNER_TOKEN');
    expect(await ssh.sessions()).toEqual([]);
  });

  test('when the signer is down, it says so, and no session is left at the server', async () => {
    await signer.process.kill();
    const { code, out } = await ssh.bowlineWith(
      as('ada'),
      ...['ssh', DEVICE_ID, '--signer', signer.url, '--', 'true'],
    );
    expect(code).toBe(5);
    expect(out).toContain(`The signer at ${signer.url} does not answer.`);
    expect(await ssh.sessions()).toEqual([]);
  });
});
