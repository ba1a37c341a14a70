import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { needs } from '@bowline/testing';
import { openBrowser } from '@bowline/testing/browser';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { SESSION, SshFleet } from './ssh-fleet.ts';
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
  });

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
    const args = ['ssh', DEVICE_ID, '--signer', signer.url, '--', 'true'];
    const { code, out } = await ssh.bowlineWith(as('nobody'), ...args);
    expect(code).toBe(6);
    expect(out).toContain('The signer refused (401): the token of the signer is missing or wrong');
    expect(out).toContain('BOWLINE_SIGNER_TOKEN');
    expect(await ssh.sessions()).toEqual([]);
  });

  test.runIf(needs('chromium'))(
    'when access is asked for in the console, a person approves it at the signer, and bowline opens that and nothing else',
    async () => {
      await ssh.fleet.killServer();
      await ssh.fleet.startServer({ BOWLINE_FLEET_SERVER__SIGNER_URL: signer.url });
      await ssh.fleet.untilOnline();
      const size = { width: 1280, height: 800 };
      const browser = await openBrowser({ ...size, colorScheme: 'light', timezoneId: 'UTC' });
      try {
        const console = await browser.context.newPage();
        const complaints: string[] = [];
        browser.context.on('weberror', (error) => complaints.push(String(error.error())));
        browser.context.on('console', (message) => complaints.push(message.text()));
        await console.goto(ssh.fleet.consoleUrl);
        const opened = browser.context.waitForEvent('page');
        await console.getByRole('link', { name: 'Request access' }).click();
        const page = await opened;
        expect(await page.evaluate('window.opener')).toBe(null);
        expect(await page.getByLabel('Device', { exact: true }).inputValue()).toBe(DEVICE_ID);
        await page.getByLabel('User on the device').fill(ME);
        await page.getByLabel('Reason').fill('the pump is silent');
        await page.getByLabel('Ends after').fill('5');
        await page.getByLabel('Your name').fill('ada');
        await page.getByLabel('Your token').fill('wrong');
        await page.getByRole('button', { name: 'Approve' }).click();
        await page.getByRole('alert').getByText('The name or the token is wrong.').waitFor();
        await page.getByLabel('Your token').fill(signerToken('ada'));
        await page.getByRole('button', { name: 'Approve' }).click();
        const code = (await page.getByLabel('Code').innerText()).trim();
        expect(await page.getByLabel('Command').innerText()).toBe(
          `npx bowline ssh --signer ${signer.url} ${DEVICE_ID}`,
        );

        const withCode = { ...ssh.env, BOWLINE_SIGNER_CODE: code };
        const args = ['--signer', signer.url, DEVICE_ID];
        const more = await ssh.bowlineWith(withCode, 'scp', ...args, '--', 'file', `${DEVICE_ID}:/tmp/`);
        expect(more).toMatchObject({ code: 2, out: expect.stringContaining('does not allow sftp') });
        const session = ssh.startWith(withCode, 'ssh', ...args, '--', 'echo ready; sleep 600');
        await session.output(/ready/);
        const row = console.getByRole('list', { name: 'Open sessions' }).getByRole('listitem');
        await row.getByText('in use').waitFor();
        expect(await row.innerText()).toMatch(
          new RegExp(`as ${ME}: the pump is silent[^]*ends in [2-5] min`),
        );
        await console.getByRole('button', { name: /^End the session of/ }).click();
        await console.getByText('No session is open.').waitFor();
        expect((await session.exited).code).not.toBe(0);
        expect(session.stderr()).toContain('The session is over');
        const [, sessionId = ''] = SESSION.exec(session.stderr()) ?? [];
        expect(await ssh.ended(sessionId)).toMatchObject({ by: 'ada', survivors: 0 });

        const again = await ssh.bowlineWith(withCode, 'ssh', ...args, '--', 'true');
        expect(again).toMatchObject({ code: 6, out: expect.stringContaining('this approval was used') });
        // A refused form is an answer that the browser tells of.
        expect(complaints.filter((text) => !text.includes('status of 401'))).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );

  test('when there is neither token nor code, it says where to get one, and takes a code that is typed', async () => {
    const args = [
      'ssh',
      '--signer',
      signer.url,
      DEVICE_ID,
      '--reason',
      'by hand',
      '--',
      'echo "done $((20 + 3))"',
    ];
    const { code, out } = await ssh.bowline(...args);
    expect({ code, out }).toMatchObject({ code: 2, out: expect.stringContaining('BOWLINE_SIGNER_CODE') });
    const [link = ''] = /http\S+\/access\?\S+/.exec(out) ?? [];
    const keyboard = ssh.file('keyboard');
    execFileSync('mkfifo', [keyboard]);
    const typed = [process.execPath, ssh.main, ...args].map((word) => `'${word}'`).join(' ');
    const child = ssh.run('bash', '-c', `exec script -qec "$1" /dev/null 0<>${keyboard}`, 'bash', typed);
    await child.output(/Code that the page shows/);
    writeFileSync(keyboard, `${await approvedAt(link)}\n`);
    await child.output(/done 23/);
    await child.exited;
  });

  /** Sends the form that a link proposes, as it stands. @returns the code. */
  async function approvedAt(link: string): Promise<string> {
    const fields = new URL(link).searchParams;
    fields.set('minutes', '5');
    fields.set('operator', 'ada');
    fields.set('token', signerToken('ada'));
    const headers = { origin: signer.url };
    const page = await fetch(`${signer.url}/access`, { method: 'POST', headers, body: fields });
    return /aria-label="Code">\s*([\w-]{22})\s*</.exec(await page.text())?.[1] ?? 'none';
  }

  test('when the signer is down, it says so, and no session is left at the server', async () => {
    await signer.process.kill();
    const args = ['ssh', DEVICE_ID, '--signer', signer.url, '--', 'true'];
    const { code, out } = await ssh.bowlineWith(as('ada'), ...args);
    expect(code).toBe(5);
    expect(out).toContain(`The signer at ${signer.url} does not answer.`);
    expect(await ssh.sessions()).toEqual([]);
  });
});
