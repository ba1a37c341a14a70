import { connect } from 'node:net';
import { waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { call } from './testing/call.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
/** Has no patience; only for clients that it is to cut off. */
let hasty: TestServer;
beforeAll(async () => {
  server = await startTestServer({ http: { headerBytes: 4096 } });
  hasty = await startTestServer({ http: { headersWithinMs: 400, requestWithinMs: 800 } });
});

/** Bytes on a bare socket; resolves with all that came, once the server has ended the connection. */
const raw = (
  text: string,
  { to = server, trickle }: { to?: TestServer; trickle?: string } = {},
): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(to.url);
    const socket = connect(Number(port), hostname);
    let answer = '';
    const drip = setInterval(() => {
      if (trickle !== undefined && socket.writable) socket.write(trickle);
    }, 50);
    socket.setEncoding('utf8').on('data', (chunk) => (answer += String(chunk)));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(drip);
      resolve(answer);
    });
    socket.write(text);
  });
const problemIn = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as object;
const head = (lines: string) => `POST /v1/enrolments HTTP/1.1\r\nhost: x\r\n${lines}`;

describe('what a request may cost', () => {
  it('when headers are too large, the answer is 431, a problem document', async () => {
    const { status, body, headers } = await call(`${server.url}/v1/health`, {
      headers: { 'x-large': 'x'.repeat(5000) },
    });
    expect(status).toBe(431);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(body).toMatchObject({ status: 431, code: 'headers-too-large' });
    expect((await call(`${server.url}/v1/health?${'x'.repeat(5000)}`)).status).toBe(431);
  });

  it('when headers trickle in, the client is cut off in time', async () => {
    const answer = await raw(head(''), { to: hasty, trickle: 'x: y\r\n' });
    expect(problemIn(answer)).toMatchObject({ status: 408, code: 'too-slow' });
  });

  it('when a body trickles in, the client is cut off in time', async () => {
    const lines = 'content-type: application/json\r\ncontent-length: 10000\r\n\r\n';
    expect(problemIn(await raw(head(lines), { to: hasty, trickle: ' ' }))).toMatchObject({
      status: 408,
      code: 'too-slow',
    });
  });

  it('when a connection is silent, it is ended', async () => {
    expect(await raw('', { to: hasty })).not.toContain('200');
  });

  it('when nothing moves on a connection, it is ended', async () => {
    const idle = await startTestServer({ http: { idleMs: 300 } });
    expect(await raw('', { to: idle })).toBe('');
    await idle.stop();
  });

  it('when it is no HTTP, the answer says so', async () => {
    expect(problemIn(await raw('\u0016\u0003\u0001 hello\r\n\r\n'))).toMatchObject({
      status: 400,
      code: 'bad-request',
    });
  });

  it('when an upgrade leads nowhere, the answer is a problem document', async () => {
    const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\n\r\n';
    const answer = await raw(`GET /v1/elsewhere HTTP/1.1\r\nhost: x\r\n${upgrade}`);
    expect(problemIn(answer)).toMatchObject({ status: 404, code: 'not-found' });
  });

  it('when there are as many connections as may be, the next is not accepted until one has gone', async () => {
    const small = await startTestServer({ http: { maxConnections: 10 } });
    const { hostname, port } = new URL(small.url);
    const held = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = connect(Number(port), hostname).on('error', () => {});
        await new Promise((resolve) => socket.once('connect', resolve));
        return socket;
      }),
    );
    await expect(call(`${small.url}/v1/health`)).rejects.toThrow(/ECONNRESET|socket hang up/);
    held[0]?.destroy();
    await waitFor(() =>
      call(`${small.url}/v1/health`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    for (const socket of held) socket.destroy();
    await small.stop();
  });
});
