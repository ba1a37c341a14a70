import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { beforeEach, describe, expect, test } from 'vitest';
import { fakeServer, type FakeServer } from './testing/fake-server.ts';

const PASSWORD = 'pass-of-the-office';

let proxy: ConnectProxy;
let server: FakeServer;
beforeEach(async () => {
  proxy = await ConnectProxy.start({ routes: {} });
  server = await fakeServer();
});

async function run(program: string, args: string[], env: Record<string, string>) {
  const home = temporaryFolder();
  const own = { PATH: process.env['PATH'] ?? '', HOME: home, NO_COLOR: '1' };
  const child = startProcess(process.execPath, [join(import.meta.dirname, program), ...args], {
    cwd: home,
    env: { ...own, ...env },
  });
  const { code } = await child.exited;
  return { code, out: child.stdout() + child.stderr() };
}
const devices = (env: Record<string, string>) =>
  run('main.ts', ['fleet', 'devices'], { ...server.env, ...env });
const named = () => `http://ada:${PASSWORD}@127.0.0.1:${proxy.port}`;

describe('on a machine whose environment names a proxy', () => {
  test('when the server is elsewhere, it is asked through that, and what the proxy answers is told without its password', async () => {
    proxy.says = '407 Proxy Authentication Required';
    const { code, out } = await devices({ BOWLINE_SERVER: 'https://fleet.example', HTTPS_PROXY: named() });
    expect(code).not.toBe(0);
    expect(out).toMatch(/asked through the proxy that HTTPS_PROXY names.*407/);
    expect(out).not.toContain(PASSWORD);
    expect(proxy.asked).toEqual(['fleet.example:443']);
  });

  test('when NO_PROXY names the server, or it is on this machine, it is asked directly', async () => {
    const both = { HTTPS_PROXY: named(), HTTP_PROXY: named() };
    expect(await devices(both)).toMatchObject({ code: 0, out: expect.stringContaining('demo') });
    await devices({ ...both, BOWLINE_SERVER: 'https://fleet.invalid', NO_PROXY: 'fleet.invalid' });
    await devices({ ...both, BOWLINE_SERVER: 'https://fleet.invalid', no_proxy: '*' });
    expect(proxy.asked).toEqual([]);
  });

  test('when it is no address, that is said, and the text is not repeated', async () => {
    const { code, out } = await devices({ HTTPS_PROXY: `http://ada:${PASSWORD}@[` });
    expect(code).not.toBe(0);
    expect(out).toContain('HTTPS_PROXY or HTTP_PROXY is no address of a proxy');
    expect(out).not.toContain(PASSWORD);
  });

  test('when ssh goes through the relay, it takes the same way, and says why it does not get through', async () => {
    proxy.says = '403 Forbidden';
    const file = join(temporaryFolder(), 'tunnel.json');
    writeFileSync(file, JSON.stringify({ url: 'wss://fleet.example/x', token: 't' }));
    const { code, out } = await run('ssh-proxy.ts', [file], { HTTPS_PROXY: named() });
    expect(code).toBe(1);
    expect(out).toMatch(/Through the proxy that HTTPS_PROXY names: .*403 Forbidden/);
    expect(out).not.toContain(PASSWORD);
    expect(proxy.asked).toEqual(['fleet.example:443']);
  });
});
