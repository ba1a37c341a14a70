import { once } from 'node:events';
import { createServer } from 'node:https';
import { systemClock } from '@bowline/runtime';
import { afterThisFile, needs } from '@bowline/testing';
import { certificateAuthority } from '@bowline/testing/certificates';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket as ClientSocket } from 'ws';
import type { CertificateValidity } from '../trusted-time.ts';
import { openSocket, SUBPROTOCOL } from './client.ts';

test.runIf(needs('openssl'))(
  'when a link opens over TLS, it is told how long the certificate that proved the server is valid',
  async () => {
    const { ca, issue } = certificateAuthority();
    const server = createServer(issue('IP:127.0.0.1'));
    const sockets = new WebSocketServer({ server, handleProtocols: () => SUBPROTOCOL });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    afterThisFile(() => void server.close());
    const { port } = server.address() as { port: number };

    let proof: CertificateValidity | undefined;
    await openSocket({
      url: `wss://127.0.0.1:${port}/`,
      token: 'token',
      clock: systemClock,
      deadlineMs: 10_000,
      maxPayload: 4096,
      compression: false,
      tls: { ca, minVersion: 'TLSv1.2', rejectUnauthorized: true },
      signal: new AbortController().signal,
      onUpgrading: (certificate) => {
        proof = certificate;
      },
      attach: (socket) => socket.terminate(),
    });
    sockets.close();

    const days = ((proof?.toMs ?? 0) - (proof?.fromMs ?? 0)) / 86_400_000;
    expect(days).toBeCloseTo(30);
    expect(Math.abs((proof?.fromMs ?? 0) - Date.now())).toBeLessThan(3_600_000);
  },
);

/** Opens a link to a server that agrees to compression, and returns both of its ends. */
async function openPair({ compression }: { compression: boolean }) {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => SUBPROTOCOL,
    perMessageDeflate: { threshold: 0 },
  });
  await once(server, 'listening');
  afterThisFile(() => void server.close());
  const there = once(server, 'connection') as Promise<[ClientSocket]>;
  const here = await openSocket<ClientSocket>({
    url: `ws://127.0.0.1:${(server.address() as { port: number }).port}/`,
    token: 'token',
    clock: systemClock,
    deadlineMs: 10_000,
    maxPayload: 4096,
    compression,
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true },
    signal: new AbortController().signal,
    onUpgrading: () => {},
    attach: (socket) => socket,
  });
  afterThisFile(() => here.terminate());
  return { here, there: (await there)[0] };
}

test('when compression is on, it is agreed on without memory between messages; when it is off, it is not offered', async () => {
  const { here, there } = await openPair({ compression: true });
  expect(here.extensions).toBe('permessage-deflate');
  const text = JSON.stringify({ text: 'x'.repeat(3000) });
  const arrived = once(there, 'message');
  here.send(text);
  expect(String((await arrived)[0])).toBe(text);
  expect((await openPair({ compression: false })).here.extensions).toBe('');
});

test('when a packed message would be larger than allowed once it is unpacked, the link ends with 1009', async () => {
  const { here, there } = await openPair({ compression: true });
  here.on('error', () => {});
  const closed = once(there, 'close');
  there.send('x'.repeat(10_000_000));
  expect((await closed)[0]).toBe(1009);
});
