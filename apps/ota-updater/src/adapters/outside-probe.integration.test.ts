import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { serverAnswers } from './outside-probe.ts';

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
