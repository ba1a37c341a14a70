import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { SessionFiles } from './session-files.ts';

/** What stock ssh makes of the configuration. */
function asUnderstood(agentForward: boolean, ...args: string[]): string {
  const files = new SessionFiles();
  try {
    files.write({
      deviceId: 'kiosk-1',
      user: 'support',
      sessionId: 's1',
      hostKey: 'ssh-ed25519 AAAA',
      identityFile: undefined,
      tunnel: { url: 'ws://127.0.0.1:1/', token: 't' },
      sshProxy: '/ssh-proxy.js',
      agentForward,
    });
    const env = { PATH: process.env['PATH'], SSH_AUTH_SOCK: '/run/agent' };
    return execFileSync('ssh', ['-G', '-F', files.config, ...args, 'kiosk-1'], { encoding: 'utf8', env });
  } finally {
    files.remove();
  }
}

test.runIf(needs('openssh-client'))(
  'when nobody types, ssh sends nothing that would keep a session from being idle, in a batch neither',
  () => {
    expect(asUnderstood(false)).toMatch(/^serveraliveinterval 0$/m);
    expect(asUnderstood(false, '-o', 'BatchMode=yes')).toMatch(/^serveraliveinterval 0$/m);
  },
);

test.runIf(needs('openssh-client'))(
  'when a folder above the files of a session has a blank and a per cent sign in its name, ssh finds them',
  () => {
    const before = process.env['TMPDIR'];
    const folder = join(temporaryFolder(), 'a 100%h b');
    mkdirSync(folder);
    process.env['TMPDIR'] = folder;
    try {
      const understood = asUnderstood(false);
      expect(understood).toMatch(
        new RegExp(`^userknownhostsfile ${folder}/bowline-ssh-\\w+/known_hosts$`, 'm'),
      );
      expect(understood).toMatch(/^proxycommand .*100%%h b.*tunnel.json/m); // expanded where it is used
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  },
);

test.runIf(needs('openssh-client'))(
  'when the agent is to be forwarded, ssh may speak to it, otherwise not',
  () => {
    expect(asUnderstood(false)).toMatch(/^identityagent none$/m);
    const forwarding = asUnderstood(true, '-A');
    expect(forwarding).toMatch(/^forwardagent yes$/m);
    expect(forwarding).not.toMatch(/^identityagent none$/m);
  },
);
