import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterThisFile } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { postJson } from './post-json.ts';

const MAX_BYTES = 262_144;

async function ask(answer: RequestListener, deadlineMs = 20_000) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterThisFile(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/enrolments`);
  const tls = { minVersion: 'TLSv1.2', rejectUnauthorized: true } as const;
  return postJson(url, { a: 'é' }, { tls, deadlineMs, maxBytes: MAX_BYTES });
}

describe('postJson', () => {
  it('when the server answers, status, headers and body are what it said', async () => {
    let heard = '';
    const answer = await ask((request, response) => {
      request.on('data', (chunk: Buffer) => (heard += chunk.toString()));
      request.on('end', () => response.writeHead(429, { 'retry-after': '7' }).end('{"code":"slow"}'));
    });
    expect(heard).toBe('{"a":"é"}');
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '7' }, body: { code: 'slow' } });
  });

  it('when the answer is the page of a proxy or leads elsewhere, it is taken as it stands', async () => {
    const page = await ask((_, response) => void response.writeHead(502).end('<html>'));
    expect([page.status, page.body]).toEqual([502, undefined]);
    const away = await ask(
      (_, response) => void response.writeHead(302, { location: 'http://x/' }).end('{}'),
    );
    expect(away.status).toBe(302);
  });

  it('when the answer has no end, it is given up at the largest that there may be', async () => {
    let sent = 0;
    const endless: RequestListener = (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(' '.repeat(65_536))) sent += 65_536;
        response.once('drain', more);
      };
      more();
    };
    await expect(ask(endless)).rejects.toThrow(`an answer of more than ${MAX_BYTES} bytes`);
    expect(sent).toBeLessThan(64 * 2 ** 20); // of the socket's buffers, not of our memory
  });

  it('when the answer trickles or never comes, it is given up in time', async () => {
    await expect(ask(() => undefined, 100)).rejects.toThrow(/abort|timeout/i);
    const trickle: RequestListener = (_, response) => {
      response.writeHead(201);
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
    };
    await expect(ask(trickle, 200)).rejects.toThrow(/abort|timeout/i);
  });

  it('when the server hangs up amid its answer, that is an error', async () => {
    const half: RequestListener = (_, response) => {
      response.writeHead(201, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    };
    await expect(ask(half)).rejects.toThrow('aborted');
  });
});
