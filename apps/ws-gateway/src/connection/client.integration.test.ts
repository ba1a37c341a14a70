import { createServer } from 'node:https';
import { systemClock } from '@bowline/runtime';
import { afterThisFile, needs } from '@bowline/testing';
import { certificateAuthority } from '@bowline/testing/certificates';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
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
