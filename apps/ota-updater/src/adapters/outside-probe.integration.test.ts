import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { afterEach, expect, test } from 'vitest';
import { serverAnswers } from './outside-probe.ts';

const PROGRAM = join(import.meta.dirname, '../reaches-server.ts');
const NEVER = new AbortController().signal;
let server: Server;
afterEach(() => server.closeAllConnections());
afterEach(() => server.close());

/** To a request that asks for a link; anything else gets 200. */
async function answering(status: number): Promise<string> {
  server = createServer((_, response) => response.end());
  server.on('upgrade', ({ url, headers }, socket) => {
    const isLink = url === '/v1/devices/d1/link' && headers['sec-websocket-protocol'] === 'bowline.v1';
    socket.end(`HTTP/1.1 ${isLink ? status : 404} Answer\r\nConnection: close\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/devices/d1/link`;
}

test.each([101, 401, 403])(
  'when the server says %s to a link without a token, it is reached',
  async (status) => {
    expect(await serverAnswers(await answering(status), NEVER)).toBe(true);
  },
);

test.each([200, 302, 404, 429, 502, 503])(
  'when what answers says %s, the server behind it counts as away',
  async (status) => {
    expect(await serverAnswers(await answering(status), NEVER)).toBe(false);
  },
);

test('when nothing answers, it is away, and the end of the app ends the question', async () => {
  const link = await answering(401);
  server.close();
  expect(await serverAnswers(link, NEVER)).toBe(false);
  expect(await serverAnswers(link, AbortSignal.abort())).toBe(false);
});

const BEYOND = 'ws://fleet.example/v1/devices/d1/link';

test('when the link goes through a proxy, so does the question, and what the proxy says is no answer', async () => {
  const port = Number(new URL(await answering(401)).port);
  const proxy = await ConnectProxy.start({ routes: { 'fleet.example:80': port } });
  const way = { url: new URL(`http://127.0.0.1:${proxy.port}`), except: [] };
  expect(await serverAnswers(BEYOND, NEVER, way)).toBe(true);
  for (const says of ['401 Unauthorized', '403 Forbidden', '101 Switching Protocols', '502 Bad Gateway']) {
    proxy.says = says;
    expect(await serverAnswers(BEYOND, NEVER, way)).toBe(false);
  }
  proxy.stop();
  expect(await serverAnswers(BEYOND, NEVER, way)).toBe(false);
});

test('when the slot before is asked, it takes the way that the updater was told', async () => {
  const port = Number(new URL(await answering(401)).port);
  const proxy = await ConnectProxy.start({ routes: { 'fleet.example:80': port } });
  const stateDir = temporaryFolder();
  const ask = async () => (await startProcess(process.execPath, [PROGRAM, BEYOND, stateDir]).exited).code;
  expect(await ask()).toBe(1);
  const told = { proxy: `http://127.0.0.1:${proxy.port}`, noProxy: [] };
  writeFileSync(join(stateDir, 'link-proxy.json'), JSON.stringify(told));
  expect(await ask()).toBe(0);
  expect(proxy.asked).toEqual(['fleet.example:80']);
});
