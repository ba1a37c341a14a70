import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import { createLogger, systemClock } from '@bowline/runtime';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptFile, keptLinkProxy } from './kept-link-proxy.ts';
import { openTestGateway, type TestGateway } from './testing/test-gateway.ts';
import { followWayOut, type WayOut, type WayOutKeys } from './way-out.ts';

const PROXY = 'http://device:se%20cret@proxy.local:3128/';

let folder: string;
let stateDir: string;
let gateway: TestGateway;
let clients: HubClient[];
let logged: string;
let stop: AbortController;
beforeEach(async () => {
  folder = temporaryFolder();
  stateDir = join(folder, 'state');
  mkdirSync(stateDir);
  gateway = await openTestGateway(join(folder, 'hub'));
  clients = [];
  logged = '';
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  for (const client of clients) client.close();
  await gateway.close();
});

function follow(keys: Partial<WayOutKeys> = {}): WayOut {
  const log = createLogger({ app: 'test', write: (line) => (logged += line) });
  const client = connectHub({
    folder: join(folder, 'hub'),
    app: clients.length % 2 === 0 ? 'ota-updater' : 'ssh-broker', // two with one name would evict each other
    version: '0.1.0',
    orderTypes: [],
    log,
    clock: systemClock,
  });
  clients.push(client);
  return followWayOut({
    keys: { proxy: 'link', noProxy: [], ...keys },
    prefix: 'supply.',
    client,
    stateDir,
    log,
    clock: systemClock,
    signal: stop.signal,
  });
}
const href = (way: WayOut) => way.own()?.url.href;

test('when the link goes through a proxy, so does the app, and through another as soon as that is set', async () => {
  gateway.setLinkProxy({ proxy: PROXY, noProxy: ['lan'] });
  const way = follow();
  await waitFor(() => way.own());
  expect(way.own()).toMatchObject({ except: ['lan'] });
  expect(href(way)).toBe(PROXY);
  gateway.setLinkProxy({ proxy: 'http://other.local:8080', noProxy: [] });
  await waitFor(() => href(way) === 'http://other.local:8080/');
  gateway.setLinkProxy({ noProxy: [] });
  await waitFor(() => way.own() === undefined);
  expect(logged).toContain('proxy.local:3128');
  expect(logged).not.toMatch(/se(%20| )cret/);
});

test('when the gateway is away, the way that it told last counts, also for who has no hub, and none but the owner may read it', async () => {
  gateway.setLinkProxy({ proxy: PROXY, noProxy: [] });
  const first = follow();
  await waitFor(() => keptLinkProxy(stateDir));
  expect(href(first)).toBe(PROXY);
  expect(statSync(keptFile(stateDir)).mode & 0o777).toBe(0o600);
  await gateway.close();
  expect(href(follow())).toBe(PROXY);
  expect(keptLinkProxy(stateDir)?.url.href).toBe(PROXY);
  writeFileSync(keptFile(stateDir), '{"pro');
  expect(href(follow())).toBeUndefined();
});

test('when the app has a way of its own, that of the link is known beside it, and not taken', async () => {
  gateway.setLinkProxy({ proxy: PROXY, noProxy: [] });
  const direct = follow({ proxy: 'none' });
  await waitFor(() => direct.link());
  expect(direct.own()).toBeUndefined();
  const own = follow({ proxy: 'http://own.local:1', noProxy: ['10.0.0.0/8'] });
  await waitFor(() => own.link());
  expect(own.own()).toMatchObject({ except: ['10.0.0.0/8'] });
  expect(href(own)).toBe('http://own.local:1/');
  expect(() => follow({ proxy: 'http://own.local:99999' })).toThrow(/^supply\.proxy is no address/);
});

test.each([
  { proxy: 'http://device:%zz@proxy.local:3128', noProxy: [] },
  { proxy: 'ftp://proxy.local', noProxy: [] },
  { proxy: PROXY, noProxy: ['10.0.0.0/99'] },
  { proxy: PROXY, ca: 'no certificate', noProxy: [] },
])('when the gateway tells nonsense (%o), what it told before counts', async (nonsense) => {
  gateway.setLinkProxy({ proxy: PROXY, noProxy: [] });
  const way = follow();
  await waitFor(() => way.own());
  gateway.setLinkProxy(nonsense);
  await waitFor(() => /"code":"bad-(proxy|certificate)"/.test(logged), { what: 'the warning' });
  expect(href(way)).toBe(PROXY);
  writeFileSync(keptFile(stateDir), JSON.stringify(nonsense));
  expect(keptLinkProxy(stateDir)).toBeUndefined();
});
