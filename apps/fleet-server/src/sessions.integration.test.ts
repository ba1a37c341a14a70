import * as contract from '@bowline/messages/operators';
import { memoryStore } from '@bowline/server-sdk';
import { FakeClock } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Sessions } from './operators/sessions.ts';
import { call } from './testing/call.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ operators: { failuresBurst: 1000 } });
});

async function signIn(at = server, token = at.token) {
  const { status, headers, body } = await call(`${at.url}/v1/session`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  expect(status).toBe(201);
  expect(contract.session(body)).toBe(true);
  const [setCookie = ''] = headers['set-cookie'] ?? [];
  const cookie = setCookie.split(';')[0] ?? '';
  const csrf = String(body['csrfToken']);
  const ask = (method: string, path: string, more: Record<string, string | undefined> = {}) => {
    const sent = { cookie, 'x-csrf-token': csrf, ...more };
    const kept = Object.entries(sent).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return call(`${at.url}${path}`, { method, headers: Object.fromEntries(kept) });
  };
  return { setCookie, cookie, csrf, ask, body };
}

describe('a session of the console', () => {
  it('when an operator signs in, the cookie is for this site alone and no script can read it', async () => {
    const { setCookie, ask, body } = await signIn();
    expect(setCookie).toMatch(/^bowline-\d+=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    expect(body).toMatchObject({ operator: 'admin', role: 'admin' });
    expect((await ask('GET', '/v1/devices')).status).toBe(200);
    expect(JSON.stringify(body)).not.toContain(server.token);
  });

  it('when browsers come over TLS, the cookie is bound to this host and to TLS', async () => {
    const behindProxy = await startTestServer({ publicUrl: 'https://fleet.example' });
    const { setCookie, ask } = await signIn(behindProxy);
    expect(setCookie).toMatch(/^__Host-bowline-\d+=[\w-]{43}; Path=\/; .*; Secure$/);
    expect(setCookie).not.toMatch(/domain/i);
    const { status, headers } = await ask('GET', '/v1/devices', { origin: 'https://fleet.example' });
    expect(status).toBe(200);
    expect(headers['strict-transport-security']).toBe('max-age=31536000');
    expect(headers['cache-control']).toBe('no-store');
    expect((await ask('GET', '/v1/devices', { origin: 'http://fleet.example' })).status).toBe(403);
    await behindProxy.stop();
  });

  it.each([
    ['without the header', { 'x-csrf-token': undefined }],
    ['with another header', { 'x-csrf-token': 'x' }],
    ['from another site', { 'sec-fetch-site': 'cross-site' }],
    ['from another port of this host', { 'sec-fetch-site': 'same-site' }],
    ['by a navigation', { 'sec-fetch-site': 'none' }],
    ['from another origin', { origin: 'http://evil.example' }],
    ['from a sandbox', { origin: 'null' }],
  ])('when a call comes with the cookie but %s, it is refused, whatever it asks for', async (_, headers) => {
    const { ask } = await signIn();
    const calls = [
      ['GET', '/v1/devices'],
      ['GET', '/v1/stream'],
      ['POST', '/v1/enrolment-tokens'],
      ['POST', '/v1/session'],
      ['DELETE', '/v1/session'],
    ] as const;
    for (const [method, path] of calls) {
      const { status, body } = await ask(method, path, headers);
      expect([status, body['code']]).toEqual([403, 'cross-site']);
    }
    const own = { 'sec-fetch-site': 'same-origin', origin: server.url };
    expect((await ask('GET', '/v1/devices', own)).status).toBe(200);
  });

  it('when a proxy’s own sign-in comes beside the cookie, the session counts all the same', async () => {
    const { ask } = await signIn();
    expect((await ask('GET', '/v1/devices', { authorization: 'Basic cHJveHk6eA==' })).status).toBe(200);
  });

  it('when a WebSocket is opened with the cookie alone, it does not count', async () => {
    const device = await server.device('by-cookie');
    const { cookie, csrf } = await signIn();
    const { WebSocket } = await import('ws');
    const status = await new Promise((resolve) => {
      const headers = { cookie, 'x-csrf-token': csrf, origin: server.url };
      new WebSocket(device.link, ['bowline.v1'], { headers })
        .on('unexpected-response', (_request, response) => resolve(response.statusCode))
        .on('error', () => {});
    });
    expect(status).toBe(401);
  });

  it('when an operator signs out, the session is over and the cookie is taken back', async () => {
    const { ask } = await signIn();
    const { status, headers } = await ask('DELETE', '/v1/session');
    expect(status).toBe(200);
    expect(headers['set-cookie']?.[0]).toMatch(/^bowline-\d+=; Path=\/; Max-Age=0;/);
    expect((await ask('GET', '/v1/devices')).status).toBe(401);
  });

  it('when the token is revoked, its sessions are over too', async () => {
    const { body } = await server.api('POST', '/v1/operators', { name: 'short', role: 'viewer' });
    const { ask } = await signIn(server, String(body['token']));
    expect((await ask('GET', '/v1/session')).body).toMatchObject({ operator: 'short', role: 'viewer' });
    await server.api('POST', `/v1/operators/short/tokens/${String(body['tokenId'])}/revoke`);
    expect((await ask('GET', '/v1/devices')).status).toBe(401);
  });

  it('when the role does not suffice, a session may no more than its token', async () => {
    const { body } = await server.api('POST', '/v1/operators', { name: 'onlooker', role: 'viewer' });
    const { ask } = await signIn(server, String(body['token']));
    expect((await ask('POST', '/v1/enrolment-tokens')).status).toBe(403);
  });
});

describe('how long a session lasts', () => {
  const limits = { idleMs: 60_000, maxAgeMs: 600_000 };

  it('when nothing is called for long, it ends; use keeps it, but not beyond its end', async () => {
    const clock = new FakeClock();
    const sessions = new Sessions(memoryStore(), clock, limits);
    const { id } = await sessions.begin('t');
    for (let n = 0; n < 12; n += 1) {
      await clock.advance(45_000);
      expect(sessions.find(id)).toBeDefined();
    }
    await clock.advance(60_000);
    expect(sessions.find(id)).toBeUndefined();
    const { id: other } = await sessions.begin('t');
    await clock.advance(60_000);
    expect(sessions.find(other)).toBeUndefined();
  });

  it('when the server starts anew, sessions go on, and those that ended do not', async () => {
    const clock = new FakeClock();
    const store = memoryStore();
    const sessions = new Sessions(store, clock, limits);
    const { id, csrfToken } = await sessions.begin('t');
    const { id: ended } = await sessions.begin('t');
    await sessions.end(ended);
    const again = new Sessions(store, clock, limits);
    expect(again.find(id)?.isCsrfToken(csrfToken)).toBe(true);
    expect(again.find(id)?.isCsrfToken(id)).toBe(false);
    expect(again.find(ended)).toBeUndefined();
    expect(
      JSON.stringify(store.range({ from: 'a', to: 'z' }).map(({ value }) => String(value))),
    ).not.toContain(id);
  });

  it('when there are very many, the oldest end, and one token crowds out only its own', async () => {
    const sessions = new Sessions(memoryStore(), new FakeClock(), limits);
    const other = await sessions.begin('other');
    const first = await sessions.begin('t');
    const second = await sessions.begin('t');
    for (let n = 0; n < 19; n += 1) await sessions.begin('t');
    expect(sessions.find(first.id)).toBeUndefined();
    expect(sessions.find(second.id)).toBeDefined();
    expect(sessions.find(other.id)).toBeDefined();
    for (let n = 0; n < 1000; n += 1) await sessions.begin(`t-${n}`);
    expect(sessions.find(other.id)).toBeUndefined();
  });

  it('when a session asks for another one, it is refused: it ends when it ends, and the token is asked for', async () => {
    const { ask, body } = await signIn();
    const again = await ask('POST', '/v1/session');
    expect([again.status, again.body['code']]).toEqual([403, 'token-needed']);
    expect(again.headers['set-cookie']).toBeUndefined();
    expect((await ask('GET', '/v1/session')).body['expiresAt']).toBe(body['expiresAt']);
  });

  it('when a browser signs in anew, the session that it had is over', async () => {
    const { cookie, ask } = await signIn();
    const headers = { authorization: `Bearer ${server.token}`, cookie };
    expect((await call(`${server.url}/v1/session`, { method: 'POST', headers })).status).toBe(201);
    expect((await ask('GET', '/v1/devices')).status).toBe(401);
  });
});
