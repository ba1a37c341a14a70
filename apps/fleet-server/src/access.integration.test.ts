import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES, type Role } from '@bowline/messages';
import { systemClock } from '@bowline/runtime';
import { memoryStore } from '@bowline/server-sdk';
import { FakeClock, waitFor } from '@bowline/testing';
import { fastify } from 'fastify';
import { beforeAll, describe, expect, it } from 'vitest';
import { ACCESS } from './http/access.ts';
import { Gate } from './http/gate.ts';
import { OperatorDirectory } from './operators/operator-directory.ts';
import { Sessions } from './operators/sessions.ts';
import { TokenCheck } from './operators/token-check.ts';
import { call, type Answer } from './testing/call.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
const tokens = {} as Record<Role, string>;
beforeAll(async () => {
  server = await startTestServer({ operators: { failuresBurst: 1000 } });
  for (const role of ROLES) tokens[role] = (await makeOperator(`${role}-1`, role)).token;
});

async function makeOperator(name: string, role: Role, more: object = {}) {
  const { status, body } = await server.api('POST', '/v1/operators', { name, role, ...more });
  expect(status).toBe(201);
  return body as { token: string; tokenId: string };
}
const ask = (endpoint: string, token: string | undefined, body?: object): Promise<Answer> => {
  const [method = '', path = ''] = endpoint.split(' ');
  return call(`${server.url}${path}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  });
};

/** Whether a call got past the gate, whatever it got there. */
function verdictOf({ status, body }: Answer): string {
  if (status === 403 && body['code'] === 'forbidden') return 'forbidden';
  return [401, 403, 500].includes(status) || body['code'] === 'not-found' ? `failed: ${status}` : 'passed';
}

describe('who may call what', () => {
  // The names lead nowhere: whoever may call gets 404 or 400, and nothing changes.
  const rows = Object.entries(ACCESS).map(([endpoint, access]) => ({
    endpoint: endpoint.replace(/:\w+/g, 'no-such'),
    ...access,
  }));

  it.each(rows.filter(({ role }) => role !== 'anyone'))(
    'when $endpoint is called, only $role and above may, and nobody without a token',
    async ({ endpoint, role: least }) => {
      expect((await ask(endpoint, undefined)).status).toBe(401);
      expect((await ask(endpoint, `${tokens.admin}x`)).status).toBe(401);
      for (const role of ROLES) {
        const refused = ROLES.indexOf(role) < ROLES.indexOf(least as Role);
        if (!refused && endpoint === 'GET /v1/stream') continue;
        expect([role, verdictOf(await ask(endpoint, tokens[role]))]).toEqual([
          role,
          refused ? 'forbidden' : 'passed',
        ]);
      }
    },
  );

  it('when an endpoint changes something, the audit log has a name for it', () => {
    const nameless = rows.filter(
      ({ endpoint, audit }) => !endpoint.startsWith('GET ') && audit === undefined,
    );
    expect(nameless).toEqual([]);
  });

  it('when a route is registered that the table does not know, the server does not start', async () => {
    const store = memoryStore();
    const directory = new OperatorDirectory(store, systemClock, 'token');
    const http = fastify();
    const gate = new Gate(
      {
        directory,
        clock: systemClock,
        origins: () => [],
        tokenCheck: new TokenCheck(directory, 'token'),
        sessions: new Sessions(store, systemClock, { idleMs: 1, maxAgeMs: 1 }),
      },
      { calls: { burst: 1, perSecond: 1 }, failures: { burst: 1, perSecond: 1 }, secure: false },
    );
    gate.guard(http);
    http.get('/v1/devices', () => 'fine');
    http.post('/v1/forgotten', () => 'oops');
    await expect(http.ready()).rejects.toMatchObject({
      code: 'no-role',
      message: expect.stringContaining('POST /v1/forgotten'),
    });
  });

  it('when a body is larger than its endpoint takes, the answer is 413', async () => {
    const large = { name: 'x'.repeat(20_000) };
    const changing = rows.filter(({ endpoint }) => endpoint.startsWith('POST '));
    for (const { endpoint } of changing) {
      const body = /\/(orders|config)$/.test(endpoint) ? { name: 'x'.repeat(270_000) } : large;
      const answer = await ask(endpoint, tokens.admin, body);
      expect([endpoint, answer.status, answer.body['code']]).toEqual([endpoint, 413, 'too-large']);
    }
  });
});

describe('operators and their tokens', () => {
  it('when one is made, the token is told once and kept as a hash', async () => {
    const { token, tokenId } = await makeOperator('told-once', 'viewer', { label: 'laptop' });
    expect(token).toMatch(/^bop_/);
    const { body } = await server.api('GET', '/v1/operators');
    const operators = body['operators'] as { name: string; tokens: object[] }[];
    expect(JSON.stringify(operators)).not.toContain(token.split('.')[1]);
    expect(operators.find(({ name }) => name === 'told-once')).toMatchObject({
      role: 'viewer',
      createdBy: 'admin',
      tokens: [{ tokenId, label: 'laptop' }],
    });
  });

  it('when one token is revoked, it is out at once and the other stays', async () => {
    const first = await makeOperator('two-tokens', 'viewer');
    const { body: second } = await server.api('POST', '/v1/operators/two-tokens/tokens', {});
    expect((await ask('GET /v1/devices', first.token)).status).toBe(200);
    const path = `/v1/operators/two-tokens/tokens/${first.tokenId}/revoke`;
    expect((await server.api('POST', path)).status).toBe(200);
    expect((await ask('GET /v1/devices', first.token)).status).toBe(401);
    expect((await ask('GET /v1/devices', String(second['token']))).status).toBe(200);
    expect((await server.api('POST', path)).status).toBe(404);
  });

  it('when an operator is revoked, calls and the open stream end', async () => {
    const { token } = await makeOperator('revoked', 'viewer');
    const stream = await fetch(`${server.url}/v1/stream`, { headers: { authorization: `Bearer ${token}` } });
    let ended = false;
    const read = (async () => {
      for await (const _ of stream.body ?? []);
      ended = true;
    })();
    const device = await server.device('watched');
    expect((await server.api('POST', '/v1/operators/revoked/revoke')).status).toBe(200);
    expect((await ask('GET /v1/devices', token)).status).toBe(401);
    await device.open();
    await waitFor(() => ended);
    await read;
  });

  it('when a token has expired, it is refused', async () => {
    const clock = new FakeClock();
    const store = memoryStore();
    const directory = new OperatorDirectory(store, clock, undefined);
    const check = new TokenCheck(directory, undefined);
    const { token } = await directory.create({ name: 'guest', role: 'viewer', expiresInMs: 5000 }, 'admin');
    expect(await check.holder(token)).toMatchObject({ operator: 'guest', role: 'viewer' });
    await clock.advance(5000);
    expect(await check.holder(token)).toBeUndefined();
  });

  it('when the server starts anew, operators and tokens are there', async () => {
    const store = memoryStore();
    const directory = new OperatorDirectory(store, systemClock, undefined);
    const { token } = await directory.create({ name: 'kept', role: 'operator' }, 'admin');
    const again = new OperatorDirectory(store, systemClock, undefined);
    expect(await new TokenCheck(again, undefined).holder(token)).toMatchObject({ operator: 'kept' });
    const wrong = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    expect(await new TokenCheck(again, undefined).holder(wrong)).toBeUndefined();
  });

  it('when the last admin would go and no token in a file counts, that is refused', async () => {
    const directory = new OperatorDirectory(memoryStore(), systemClock, undefined);
    await directory.create({ name: 'only', role: 'admin' }, 'admin');
    await expect(directory.remove('only')).rejects.toMatchObject({ code: 'last-admin' });
    await directory.create({ name: 'second', role: 'admin' }, 'only');
    await directory.remove('only');
  });

  it('when the last good token of an admin would go and no token in a file counts, that is refused', async () => {
    const clock = new FakeClock();
    const directory = new OperatorDirectory(memoryStore(), clock, undefined);
    const { tokenId } = await directory.create({ name: 'only', role: 'admin' }, 'admin');
    await directory.create({ name: 'helper', role: 'operator' }, 'only');
    await directory.create({ name: 'expired', role: 'admin', expiresInMs: 5000 }, 'only');
    await clock.advance(5000);
    const lastAdmin = { code: 'last-admin' };
    await expect(directory.removeToken('only', tokenId)).rejects.toMatchObject(lastAdmin);
    await expect(directory.remove('only')).rejects.toMatchObject(lastAdmin);
    expect(directory.holder(tokenId)).toMatchObject({ operator: 'only' });

    await directory.addToken('only', {});
    await directory.removeToken('only', tokenId);
    expect(directory.holder(tokenId)).toBeUndefined();
  });

  it('when nobody could make operators, the server says so and does not start', async () => {
    const folder = { operators: { fileToken: false } };
    await expect(startTestServer(folder)).rejects.toMatchObject({ code: 'no-admin' });
  });

  it.each([
    [{ name: 'admin', role: 'viewer' }, 409, 'operator-exists'],
    [{ name: 'viewer-1', role: 'viewer' }, 409, 'operator-exists'],
    [{ name: 'a/b', role: 'viewer' }, 400, 'invalid'],
    [{ name: 'x', role: 'root' }, 400, 'invalid'],
    [{ name: 'x', role: 'viewer', expires: 1 }, 400, 'invalid'],
  ])('when an operator is asked for as %j, the answer is %d', async (body, status, code) => {
    expect(await server.api('POST', '/v1/operators', body)).toMatchObject({ status, body: { code } });
  });
});

describe('limits', () => {
  it('when an address fails too often, it has to wait, but a good token is not held up', async () => {
    const strict = await startTestServer({ operators: { failuresBurst: 3, failuresPerSecond: 0.01 } });
    const get = (token: string) =>
      call(`${strict.url}/v1/devices`, { headers: { authorization: `Bearer ${token}` } });
    const { body } = await strict.api('POST', '/v1/operators', { name: 'x', role: 'viewer' });
    const token = String(body['token']);
    const { body: other } = await strict.api('POST', '/v1/operators', { name: 'y', role: 'viewer' });
    expect((await get(token)).status).toBe(200);
    for (let n = 0; n < 3; n += 1) expect((await get(`wrong-${n}`)).status).toBe(401);
    const refused = await get('wrong');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    expect(refused.body).toMatchObject({ code: 'too-many-requests', status: 429 });
    expect((await get(String(other['token']))).status).toBe(200); // for the first time
    expect((await get(token)).status).toBe(200);
    await strict.stop();
  });

  it('when the secret of a known token is guessed too often, that token has to wait, and others are not touched', async () => {
    const strict = await startTestServer({ operators: { failuresBurst: 3, failuresPerSecond: 0.01 } });
    const get = (token: string) =>
      call(`${strict.url}/v1/devices`, { headers: { authorization: `Bearer ${token}` } });
    const newTokenOf = async (name: string) =>
      String((await strict.api('POST', '/v1/operators', { name, role: 'viewer' })).body['token']);
    const [guessed, other] = [await newTokenOf('x'), await newTokenOf('y')];
    const guess = `${guessed.slice(0, -43)}${'A'.repeat(43)}`;
    for (let n = 0; n < 3; n += 1) expect((await get(guess)).status).toBe(401);
    for (const token of [guess, guessed]) expect((await get(token)).status).toBe(429);
    expect((await get(other)).status).toBe(200);
    await strict.stop();
  });

  it('when a token calls too often, it has to wait, and others are not touched', async () => {
    const strict = await startTestServer({ operators: { callsBurst: 3, callsPerSecond: 0.01 } });
    const { body } = await strict.api('POST', '/v1/operators', { name: 'x', role: 'viewer' });
    const get = () =>
      call(`${strict.url}/v1/devices`, { headers: { authorization: `Bearer ${String(body['token'])}` } });
    for (let n = 0; n < 3; n += 1) expect((await get()).status).toBe(200);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    expect((await strict.api('GET', '/v1/devices')).status).toBe(200);
    await strict.stop();
  });

  it('when others may read the file of the admin’s token, the server does not start on it', async () => {
    const first = await startTestServer();
    await first.stop();
    chmodSync(join(first.stateDir, 'operator-token'), 0o640);
    await expect(startTestServer({ stateDir: first.stateDir })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'file-unsafe',
      message: expect.stringContaining('operator-token'),
    });
  });
});
