import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterThisFile, startProcess, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

const MAIN = join(import.meta.dirname, 'ssh-proxy.ts');

/** What ssh's proxy says when the relay closes it so. */
async function closedWith(code: number) {
  const server = createServer().listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.close(code));
  await once(server, 'listening');
  afterThisFile(() => void server.close());
  const file = join(temporaryFolder(), 'tunnel.json');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  writeFileSync(file, JSON.stringify({ url, token: 't' }));
  const proxy = startProcess(process.execPath, [MAIN, file]);
  const { code: exitCode } = await proxy.exited;
  return { exitCode, said: proxy.stderr() };
}

test.each([
  [1000, 0, /^$/],
  [4410, 1, /The session is over/],
  [1013, 1, /busy/],
  [4999, 1, /\(4999\)/],
])(
  'when the relay closes the tunnel with %i, the proxy exits %i and says why',
  async (code, exitCode, words) => {
    const closed = await closedWith(code);
    expect(closed.exitCode).toBe(exitCode);
    expect(closed.said).toMatch(words);
  },
);
