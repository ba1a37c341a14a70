import { certificateAuthority } from '@bowline/testing/certificates';
import { needs } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { bowline, PlainServer } from './plain-server.ts';

let server: PlainServer;
beforeAll(async () => {
  server = await PlainServer.start();
});
const as = (token: string, ...args: string[]) =>
  bowline(['fleet', ...args], { BOWLINE_SERVER: server.url, BOWLINE_TOKEN: token });

describe('bowline fleet operators', () => {
  test('when one is added, standard output has the token and nothing else, and it works as its role allows', async () => {
    expect((await server.fleet('operators')).stdout).toContain('No operators but admin');
    const made = await server.fleet('operators', 'add', 'jo', '--label', 'laptop', '--expires', '30d');
    expect(made.stdout).toMatch(/^bop_[\w-]{12}\.[\w-]{43}\n$/);
    expect(made.stderr).toMatch(/^Good for jo, viewer, until 20.* it is shown this once/);
    const token = made.stdout.trim();
    expect((await as(token, 'devices')).code).toBe(0);
    const refused = await as(token, 'operators');
    expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('takes the role admin')]);
    expect((await server.fleet('operators')).stdout).toMatch(/jo +viewer +\S{12} +laptop +20/);
  });

  test('when a token, or the operator, is revoked, it is out at once', async () => {
    const first = (await server.fleet('operators', 'add', 'ann', '--role', 'operator')).stdout.trim();
    const second = (await server.fleet('operators', 'token', 'ann')).stdout.trim();
    const [, id = ''] = /^bop_([^.]+)/.exec(first) ?? [];
    expect((await server.fleet('operators', 'revoke', 'ann', '--token', id)).code).toBe(0);
    const refused = await as(first, 'devices');
    expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('not good')]);
    expect((await as(second, 'devices')).code).toBe(0);
    expect((await server.fleet('operators', 'revoke', 'ann')).stdout).toContain('ann is out');
    expect((await as(second, 'devices')).code).toBe(6);
  });

  test('when what was typed is wrong, it says what was likely meant', async () => {
    expect((await server.fleet('operators', 'add', 'x', '--role', 'root')).code).toBe(2);
    expect((await server.fleet('operators', 'add', 'admin')).stderr).toContain('of this name');
    expect((await server.fleet('operators', 'revoke', 'nobody')).stderr).toContain('no such operator');
  });
});

describe('bowline fleet audit', () => {
  test('when it is asked for, each call is a line: who, what, on whom, and how it ended', async () => {
    await server.fleet('tokens', 'create', '--device', 'press-7');
    const { stdout } = await server.fleet('audit', '-n', '1');
    const line =
      /admin \(admin\) +127\.0\.0\.1 +enrolment-token\.create +deviceId=press-7 tokenId=\S+ +201$/m;
    expect(stdout).toMatch(line);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  test('when it is verified, it says its head, and a head that was noted must still be there', async () => {
    const first = await server.fleet('audit', '--verify');
    expect(first.stdout).toMatch(/^Whole and unchanged: entries 1 to \d+\.$/m);
    const [, noted = ''] = /(\d+:[0-9a-f]{64})$/m.exec(first.stdout) ?? [];
    await server.fleet('tokens', 'create');
    expect((await server.fleet('audit', '--verify', '--noted', noted)).code).toBe(0);
    const forged = noted.slice(0, -1) + (noted.endsWith('0') ? '1' : '0');
    const broken = await server.fleet('audit', '--noted', forged);
    expect([broken.code, broken.stderr]).toEqual([21, expect.stringContaining('written anew')]);
    expect((await server.fleet('audit', '--verify', '--noted', 'soon')).code).toBe(2);
  });
});

test.runIf(needs('openssl'))(
  'when the server’s certificate is not trusted, it says so and how to trust it',
  async () => {
    const authority = certificateAuthority();
    const { certFile, keyFile } = authority.issue('IP:127.0.0.1');
    const secure = await PlainServer.start({ tlsCert: certFile, tlsKey: keyFile });
    const refused = await secure.fleet('devices');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('NODE_EXTRA_CA_CERTS')]);
    const env = { BOWLINE_SERVER: secure.url, BOWLINE_TOKEN: secure.operatorToken };
    const trusted = await bowline(['fleet', 'devices'], { ...env, NODE_EXTRA_CA_CERTS: authority.caFile });
    expect([trusted.code, trusted.stdout]).toEqual([0, 'No device has enrolled yet.\n']);
  },
);
