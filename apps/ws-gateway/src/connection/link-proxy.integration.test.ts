import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { systemClock } from '@bowline/runtime';
import { readProxy, type ProxySettings } from '@bowline/runtime/proxy';
import { afterThisFile, needs, waitFor } from '@bowline/testing';
import { certificateAuthority, type Certified } from '@bowline/testing/certificates';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { postJson } from '../identity/post-json.ts';
import { GatewayUnderTest } from '../test-kit/gateway.ts';
import { openSocket, SUBPROTOCOL } from './client.ts';
import type { TlsSettings } from './tls-settings.ts';

const SECRET_TOKEN = 'a-token-that-is-for-the-server-alone';
const NO_TLS: TlsSettings = { minVersion: 'TLSv1.2', rejectUnauthorized: true };

/** A server that greets each link, over TLS if it has a certificate, and answers each request with JSON. */
async function server(certified?: Certified): Promise<number> {
  const http = certified === undefined ? createPlainServer() : createServer(certified);
  http.on('request', (_, response) => response.end('{"hello":"from the server"}'));
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => SUBPROTOCOL });
  sockets.on('connection', (socket) => socket.send('welcome'));
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  afterThisFile(() => {
    for (const client of sockets.clients) client.terminate();
    http.close();
  });
  return (http.address() as AddressInfo).port;
}

const open = (url: string, proxy: ProxySettings, tls: TlsSettings, deadlineMs = 10_000) => {
  const stages: boolean[] = [];
  const link = openSocket<Promise<string>>({
    url,
    proxy,
    tls,
    token: SECRET_TOKEN,
    clock: systemClock,
    deadlineMs,
    maxPayload: 4096,
    compression: false,
    signal: new AbortController().signal,
    onUpgrading: (certificate) => stages.push(certificate !== undefined),
    attach: (socket) =>
      once(socket, 'message').then(([text]) => {
        socket.terminate();
        return String(text);
      }),
  });
  return { link, stages };
};

const at = ({ port }: ConnectProxy, scheme = 'http', login = ''): ProxySettings => ({
  url: new URL(`${scheme}://${login}127.0.0.1:${port}`),
  except: [],
});

test.runIf(needs('openssl'))(
  'when the only way out is a proxy, link and requests go through it, the names are its to resolve, and it sees nothing of what the server is told',
  async () => {
    const { ca, issue } = certificateAuthority();
    const port = await server(issue('DNS:fleet.example'));
    const proxy = await ConnectProxy.start({
      credentials: 'device:se cret',
      routes: { 'fleet.example:443': port },
    });
    const way = at(proxy, 'http', 'device:se%20cret@');
    const { link, stages } = open('wss://fleet.example/link', way, { ...NO_TLS, ca });
    expect(await link).toBe('welcome');
    expect(stages).toEqual([true]); // once, and with the server's certificate
    const limits = { deadlineMs: 10_000, maxBytes: 4096 };
    const answer = await postJson(
      new URL('https://fleet.example/v1'),
      { token: SECRET_TOKEN },
      { tls: { ...NO_TLS, ca }, proxy: way, ...limits },
    );
    expect(answer).toMatchObject({ status: 200, body: { hello: 'from the server' } });
    expect(proxy.asked).toEqual(['fleet.example:443', 'fleet.example:443']);
    expect(proxy.passed.length).toBeGreaterThan(0);
    expect(Buffer.concat(proxy.passed).includes(SECRET_TOKEN)).toBe(false);
  },
);

test.runIf(needs('openssl'))('when the proxy itself speaks TLS, there is TLS within TLS', async () => {
  const { ca, issue } = certificateAuthority();
  const proxyAuthority = certificateAuthority();
  const port = await server(issue('DNS:fleet.example'));
  const proxy = await ConnectProxy.start({
    tls: proxyAuthority.issue('IP:127.0.0.1'),
    routes: { 'fleet.example:8443': port },
  });
  const way = { ...at(proxy, 'https'), ca: proxyAuthority.ca };
  const { link, stages } = open('wss://fleet.example:8443/link', way, { ...NO_TLS, ca });
  expect(await link).toBe('welcome');
  expect(stages).toEqual([true]);
  // By whom the server is to be proven, nobody proves the proxy.
  await expect(
    open('wss://fleet.example:8443/', { ...way, ca }, { ...NO_TLS, ca }).link,
  ).rejects.toMatchObject({ stage: 'proxy', code: 'proxy-unreachable' });
});

test.runIf(needs('openssl'))(
  'when the server is named by its address, its certificate must have that address, not that of the proxy',
  async () => {
    const { ca, issue } = certificateAuthority();
    const [good, bad] = [
      await server(issue('IP:192.0.2.7')),
      await server(issue('IP:127.0.0.1', 'DNS:localhost')),
    ];
    const proxy = await ConnectProxy.start({ routes: { '192.0.2.7:443': good, '192.0.2.8:443': bad } });
    expect(await open('wss://192.0.2.7/', at(proxy), { ...NO_TLS, ca }).link).toBe('welcome');
    await expect(open('wss://192.0.2.8/', at(proxy), { ...NO_TLS, ca }).link).rejects.toMatchObject({
      stage: 'tls',
      code: 'err-tls-cert-altname-invalid',
    });
  },
);

test('when there is no TLS, the link goes through the proxy all the same', async () => {
  const port = await server();
  const proxy = await ConnectProxy.start({ routes: { 'fleet.example:80': port } });
  const { link, stages } = open('ws://fleet.example/', at(proxy), NO_TLS);
  expect(await link).toBe('welcome');
  expect(stages).toEqual([false]);
});

test('when the proxy refuses, the error says so, and nothing of its answer counts as one of the server', async () => {
  const port = await server();
  const proxy = await ConnectProxy.start({
    credentials: 'device:right',
    routes: { 'fleet.example:80': port },
  });
  const wrong = open('ws://fleet.example/', at(proxy, 'http', 'device:wr0ng@'), NO_TLS).link;
  const error = (await wrong.catch((each: unknown) => each)) as Record<string, unknown>;
  expect(error).toMatchObject({
    stage: 'proxy',
    code: 'proxy-refused',
    message: `the proxy 127.0.0.1:${proxy.port} answered 407 Proxy Authentication Required`,
    status: undefined,
    serverTime: undefined,
  });
  expect(`${JSON.stringify(error)}${String(error['stack'])}`).not.toContain('wr0ng');
  await expect(
    open('ws://elsewhere.example/', at(proxy, 'http', 'device:right@'), NO_TLS).link,
  ).rejects.toMatchObject({ code: 'proxy-refused' });
});

test('when the proxy hangs, the attempt ends in its time and leaves no connection behind', async () => {
  const proxy = await ConnectProxy.start({ routes: {} });
  proxy.hangs = true;
  await expect(open('ws://fleet.example/', at(proxy), NO_TLS, 200).link).rejects.toMatchObject({
    stage: 'proxy',
    code: 'proxy-timeout',
  });
  await waitFor(() => proxy.open === 0, { what: 'the connection to the proxy to be gone' });
});

test('when what listens there is no proxy, the error names it', async () => {
  const nonsense = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('220 mail.example ESMTP\r\n');
  });
  await new Promise<void>((done) => nonsense.listen(0, '127.0.0.1', done));
  afterThisFile(() => void nonsense.close());
  const { port } = nonsense.address() as AddressInfo;
  const url = new URL(`http://127.0.0.1:${port}`);
  await expect(open('ws://fleet.example/', { url, except: [] }, NO_TLS).link).rejects.toMatchObject({
    stage: 'proxy',
    code: 'proxy-unreachable',
  });
});

test('when a gateway has a proxy, it enrols and connects through it, and shows its password to nobody', async () => {
  const cloud = await FakeCloud.start();
  const port = Number(new URL(cloud.origin).port);
  cloud.origin = 'http://fleet.example'; // a name that only the proxy knows
  const routes: Record<string, number> = { 'fleet.example:80': port };
  const proxy = await ConnectProxy.start({ credentials: 'device:pass:wörd', routes });
  const gateway = new GatewayUnderTest(cloud, {
    link: {
      allowInsecure: true,
      backoffBaseMs: 20,
      proxy: `http://device:pass%3Aw%C3%B6rd@127.0.0.1:${proxy.port}/`,
    },
  });
  const process = gateway.start();
  afterThisFile(() => gateway.kill());
  await cloud.link(({ hello }) => hello !== undefined);
  expect(proxy.asked.length).toBeGreaterThanOrEqual(2); // enrolment and link

  const cli = await gateway.app('cli');
  afterThisFile(() => cli.close());
  const shown = await cli.request('config', {});
  const { entries = [] } = shown.apps['ws-gateway']?.view ?? {};
  expect(entries.find(({ key }) => key === 'link.proxy')?.value).toBe(
    `http://device:[redacted]@127.0.0.1:${proxy.port}/`,
  );
  // Who goes out beside the link is told it, and nobody else.
  const updater = await gateway.app('ota-updater');
  afterThisFile(() => updater.close());
  const { proxy: told, noProxy } = await updater.request('linkProxy', {});
  expect(new URL(told ?? '')).toMatchObject({ port: `${proxy.port}`, password: 'pass%3Aw%C3%B6rd' });
  expect(noProxy).toContain('127.0.0.0/8');
  await expect(cli.request('linkProxy', {})).rejects.toMatchObject({ code: 'proxy-users-only' });
  // Refused from now on: also what went wrong is told without it.
  delete routes['fleet.example:80'];
  cloud.cut();
  const [output] = await process.output(/[^]*proxy-refused/);
  const log = await cli.request('linkLog', {});
  for (const text of [JSON.stringify(shown), JSON.stringify(log), output]) {
    expect(text).not.toMatch(/w%C3%B6rd|wörd|cGFzczp3/);
  }
});

test.each(['http://device:%zz@proxy:3128', 'http://proxy:99999'])(
  'when link.proxy is %s, the attempt says what to write, and does not repeat it',
  (proxy) => {
    expect(() => readProxy({ proxy, noProxy: [] }, 'link.')).toThrow(
      /^link\.proxy is no address: (?!.*(%zz|99999))/,
    );
  },
);
