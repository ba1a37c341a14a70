import { statSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { device, event, historyAnswer, order, sample, series, telemetry } from '@bowline/messages/operators';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const contract = { device, event, historyAnswer, order, sample, series, telemetry };

let server: TestServer;
const consoleDir = join(temporaryFolder(), 'console');
beforeAll(async () => {
  mkdirSync(consoleDir);
  writeFileSync(join(consoleDir, 'index.html'), '<!doctype html><title>console</title>');
  writeFileSync(join(consoleDir, '.secret'), 'secret');
  server = await startTestServer({ consoleDir, streams: 2, operators: { failuresBurst: 1000 } });
});
const get = (path: string) => server.api('GET', path);
const status = async (method: string, path: string, body?: unknown) =>
  (await server.api(method, path, body)).status;

describe('who may call', () => {
  const paths = ['/v1/devices', '/v1/devices/x', '/v1/devices/x/orders', '/v1/orders/x', '/v1/stream'];
  it.each(paths)(
    'when %s is asked without the token, the answer is 401 and a problem document',
    async (path) => {
      for (const authorization of [
        undefined,
        'Bearer wrong',
        `Basic ${server.token}`,
        `Bearer ${server.token}x`,
      ]) {
        const response = await fetch(`${server.url}${path}`, {
          headers: authorization ? { authorization } : {},
        });
        expect(response.status).toBe(401);
        expect(response.headers.get('content-type')).toMatch(/problem\+json/);
        expect(response.headers.get('set-cookie')).toBeNull();
        expect(await response.json()).toMatchObject({ code: 'unauthorized', status: 401 });
      }
    },
  );

  it('when the token comes as a cookie or in the query, it does not count', async () => {
    const { token, url } = server;
    expect((await fetch(`${url}/v1/devices?token=${token}`)).status).toBe(401);
    expect((await fetch(`${url}/v1/devices`, { headers: { cookie: `token=${token}` } })).status).toBe(401);
  });

  it('when the server starts, its secrets are readable by its user alone', () => {
    for (const file of ['operator-token', 'root-key.pem']) {
      expect(statSync(join(server.stateDir, file)).mode & 0o777).toBe(0o600);
    }
  });
});

describe('answers', () => {
  it('when a device has sent things, the API shows them as its contract says', async () => {
    const device = await server.device('shown');
    const link = await device.open();
    link.sample(1, 1);
    link.sample(2, 2);
    link.event(1, 'door-open');
    link.durable('events', 2, 'configReport', { version: 3, status: 'applied' });
    await link.receipted('telemetry', 2);
    await link.receipted('events', 2);
    await server.api('POST', '/v1/devices/shown/orders', { type: 'command', payload: { name: 'ping' } });
    const check = (name: keyof typeof contract, value: unknown) => {
      const validate = contract[name];
      expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    };
    const { body: list } = await get('/v1/devices');
    for (const each of list['devices'] as unknown[]) check('device', each);
    const { body: orders } = await get('/v1/devices/shown/orders');
    for (const each of orders['orders'] as unknown[]) check('order', each);
    const { body: events } = await get('/v1/devices/shown/events');
    expect((events['events'] as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      'config-report',
      'door-open',
    ]);
    for (const each of events['events'] as unknown[]) check('event', each);
    const { body: series } = await get('/v1/devices/shown/series');
    expect(series['series']).toMatchObject([{ series: 'test.value', last: { value: 2 } }]);
    for (const each of series['series'] as unknown[]) check('series', each);
  });

  it('when a device answers a request of history, its parts are put together, and it is said what is missing', async () => {
    const device = await server.device('historic');
    const link = await device.open();
    const payload = { kind: 'telemetry', from: 0, to: 1 };
    const given = await server.api('POST', '/v1/devices/historic/orders', {
      type: 'historyRequest',
      payload,
    });
    const orderId = String(given.body['orderId']);
    const answer = () => get(`/v1/orders/${orderId}/history`);
    expect((await answer()).body).toMatchObject({ complete: false, parts: 0, items: [] });
    const part = (seq: number, number: number, items: unknown[], last = false, of = orderId) =>
      link.durable('history', seq, 'history', {
        orderId: of,
        part: number,
        last,
        encoding: 'json',
        data: items,
      });
    part(1, 0, ['too early']);
    part(2, 2, ['c'], true);
    part(3, 0, ['of another order'], true, '01900000-0000-7000-8000-000000000009');
    await link.receipted('history', 3);
    expect((await answer()).body).toMatchObject({ complete: false, missing: [1] });
    const packed = gzipSync(JSON.stringify(['b'])).toString('base64');
    link.durable('history', 4, 'history', {
      orderId,
      part: 1,
      last: false,
      encoding: 'gzip+base64',
      data: packed,
    });
    // After a crash of the device a part may come once more: the later one counts.
    part(5, 0, ['a']);
    await link.receipted('history', 5);
    const { body } = await answer();
    expect(body).toMatchObject({
      orderId,
      deviceId: 'historic',
      complete: true,
      parts: 3,
      items: ['a', 'b', 'c'],
    });
    expect(historyAnswer(body)).toBe(true);

    const other = await server.api('POST', '/v1/devices/historic/orders', {
      type: 'command',
      payload: { name: 'ping' },
    });
    const refused = await get(`/v1/orders/${String(other.body['orderId'])}/history`);
    expect([refused.status, refused.body['code']]).toEqual([400, 'no-history-request']);
  });

  it('when an event came twice, under two seqs, it is shown once', async () => {
    const device = await server.device('repeating');
    const link = await device.open();
    const id = link.event(1, 'door-open');
    link.event(2, 'door-open', id);
    link.event(3, 'door-open');
    await link.receipted('events', 3);
    const { body } = await get('/v1/devices/repeating/events');
    expect((body['events'] as { id: string }[]).map((each) => each.id)).toEqual([expect.any(String), id]);
  });

  it('when samples are asked for by range and limit, they come ascending from there', async () => {
    const device = await server.device('ranges');
    const link = await device.open();
    for (let seq = 1; seq <= 10; seq += 1)
      link.sample(seq, seq, undefined, Date.now() - 100_000 + seq * 1000);
    await link.receipted('telemetry', 10);
    const { body } = await get('/v1/devices/ranges/telemetry?series=test.value');
    const all = body['samples'] as { at: number; value: number }[];
    expect(all.map(({ value }) => value)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const values = async (query: string) =>
      (
        (await get(`/v1/devices/ranges/telemetry?series=test.value&${query}`)).body['samples'] as typeof all
      ).map(({ value }) => value);
    expect(await values(`from=${all[3]?.at}&to=${all[6]?.at}`)).toEqual([4, 5, 6]);
    expect(await values(`from=${all[3]?.at}&limit=2`)).toEqual([4, 5]);
    expect(await values('limit=2')).toEqual([9, 10]);
  });

  it.each([
    ['GET', '/v1/devices/nobody', undefined, 404],
    ['GET', '/v1/orders/nothing', undefined, 404],
    ['GET', '/v1/nothing', undefined, 404],
    ['POST', '/v1/devices/nobody/orders', { type: 'command', payload: { name: 'x' } }, 404],
    ['POST', '/v1/devices/faulty/orders', { type: 'dance', payload: {} }, 400],
    ['POST', '/v1/devices/faulty/orders', { type: 'cancel', payload: {} }, 400],
    ['POST', '/v1/devices/faulty/orders', { type: 'command', payload: {} }, 400],
    [
      'POST',
      '/v1/devices/faulty/orders',
      { type: 'command', payload: { name: 'x' }, expiresInMs: 8 * 86_400_000 },
      400,
    ],
    ['POST', '/v1/devices/faulty/orders', { type: 'command', payload: { name: 'x' }, expires: 1 }, 400],
    [
      'POST',
      '/v1/devices/faulty/orders',
      { type: 'command', payload: { name: 'x', params: { t: 'x'.repeat(300_000) } } },
      413,
    ],
    ['GET', '/v1/devices/faulty/telemetry', undefined, 400],
    ['GET', '/v1/devices/faulty/telemetry?series=a&from=soon', undefined, 400],
    ['GET', '/v1/devices/faulty/orders?limit=0', undefined, 400],
    ['POST', '/v1/enrolment-tokens', { deviceId: '../etc' }, 400],
    ['POST', '/v1/enrolment-tokens', { deviceId: 'a', maxUses: 2 }, 400],
  ])('when %s %s is asked with a fault (%j), the answer says so', async (method, path, body, expected) => {
    if ((await status('GET', '/v1/devices/faulty')) === 404) await server.device('faulty');
    const answer = await server.api(method, path, body);
    expect(answer.status).toBe(expected);
    expect(answer.body).toMatchObject({
      status: expected,
      code: expect.any(String),
      title: expect.any(String),
    });
  });

  it('when health is asked, no token is needed', async () => {
    expect(await (await fetch(`${server.url}/v1/health`)).json()).toMatchObject({ status: 'ok' });
  });
});

describe('console', () => {
  it('when the page is loaded, it may run its own scripts and nothing else', async () => {
    const response = await fetch(`${server.url}/`);
    expect(await response.text()).toContain('console');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('when something outside its folder or hidden is asked for, there is nothing', async () => {
    for (const path of ['/.secret', '/..%2foperator-token', '/%2e%2e/%2e%2e/etc/passwd']) {
      expect((await fetch(`${server.url}${path}`)).status).toBe(404);
    }
  });

  it('when it is not built, the API works all the same', async () => {
    const bare = await startTestServer({ consoleDir: '/nowhere' });
    expect((await fetch(bare.url)).status).toBe(404);
    expect((await bare.api('GET', '/v1/devices')).status).toBe(200);
    await bare.stop();
  });
});

describe('stream', () => {
  const follow = async (query = '') => {
    const ended = new AbortController();
    const response = await fetch(`${server.url}/v1/stream${query}`, {
      headers: { authorization: `Bearer ${server.token}` },
      signal: ended.signal,
    });
    let text = '';
    const read = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
    })().catch(() => {});
    const events = () =>
      [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, kind, data]) => ({
        kind,
        data: JSON.parse(data ?? '') as Record<string, unknown>,
      }));
    return {
      response,
      events,
      end: async () => {
        ended.abort();
        await read;
      },
    };
  };

  it('when things happen, they are told as they happen, and only of the device asked for', async () => {
    const [device, other] = [await server.device('streamed'), await server.device('unwatched')];
    const stream = await follow('?device=streamed');
    expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const link = await device.open();
    const otherLink = await other.open();
    otherLink.sample(1, 1);
    await otherLink.receipted('telemetry', 1);
    link.sample(1, 7);
    link.event(1, 'door-open');
    await server.api('POST', '/v1/devices/streamed/orders', { type: 'command', payload: { name: 'ping' } });
    const wanted = ['device', 'telemetry', 'event', 'order'];
    await waitFor(() => wanted.every((kind) => stream.events().some((event) => event.kind === kind)));
    for (const { kind, data } of stream.events()) {
      expect(data['deviceId']).toBe('streamed');
      const validate = contract[kind as 'device' | 'order' | 'event' | 'telemetry'];
      expect(validate(data), `${kind} ${JSON.stringify(validate.errors)}`).toBe(true);
    }
    await stream.end();
  });

  it('when the whole fleet is followed, or some kinds only, samples come by their device alone', async () => {
    const device = await server.device('followed');
    const [fleet, one] = [await follow(), await follow('?device=followed&kinds=telemetry')];
    const link = await device.open();
    link.sample(1, 7);
    link.event(1, 'door-open');
    await waitFor(() => fleet.events().some(({ kind }) => kind === 'event'));
    await waitFor(() => one.events().length > 0);
    const kindsOf = ({ events }: typeof fleet) => new Set(events().map(({ kind }) => kind));
    expect(kindsOf(fleet)).toEqual(new Set(['device', 'event']));
    expect(kindsOf(one)).toEqual(new Set(['telemetry']));
    await Promise.all([fleet.end(), one.end()]);

    const some = await follow('?kinds=device');
    link.event(2, 'door-shut');
    await link.receipted('events', 2);
    await link.close();
    await waitFor(() => some.events().some(({ data }) => data['online'] === false));
    expect(kindsOf(some)).toEqual(new Set(['device']));
    await some.end();
  });

  it.each(['?kinds=telemetry', '?device=d&kinds=all', '?kinds='])(
    'when it is asked for %s, that is refused',
    async (query) => {
      const { response } = await follow(query);
      expect(response.status).toBe(400);
    },
  );

  it('when too many follow, the next is refused until one has gone', async () => {
    const streams = [await follow(), await follow()];
    const refused = await follow();
    expect(refused.response.status).toBe(429);
    await streams[0]?.end();
    await waitFor(async () => {
      const next = await follow();
      await next.end();
      return next.response.status === 200;
    });
    await streams[1]?.end();
  });
});

describe('start', () => {
  it('when the port is taken, it says which in one sentence', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(startTestServer({ port })).rejects.toMatchObject({
      code: 'port-taken',
      message: expect.stringContaining(`Port ${port}`),
    });
    other.close();
  });

  it('when the address is not of this machine, it says so', async () => {
    await expect(startTestServer({ host: '192.0.2.1', allowInsecure: true })).rejects.toMatchObject({
      code: 'listen-refused',
    });
  });
});
