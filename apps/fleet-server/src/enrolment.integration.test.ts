import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

/** Some certificate; nothing looks at its dates. */
const AUTHORITY = `-----BEGIN CERTIFICATE-----
MIIBdDCCARmgAwIBAgIURL1DWYB7R3MdQP/0K+/WW5ML7aAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjUxNjEwNDNaFw0zNjExMjIxNjEwNDNa
MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ9qxRI
EamLp7B74cIxncJ7LIWVyTAwjXX2d2tCXGH/LALRhHF3AqUX3tH0NEiDr5tvG9ag
qx+dDh7Ot9KnjUxoo1MwUTAdBgNVHQ4EFgQUrCy8wtOEI84D/0+pABnjeiQPUBww
HwYDVR0jBBgwFoAUrCy8wtOEI84D/0+pABnjeiQPUBwwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNJADBGAiEA42/Jo2QKGvGJZCGvBKTkMk2eQN/Yzcwijyi/
kB9HGUoCIQDJ8CBRD0nP2YUouXANZcSdyL621ZHuW5lTADqnr9E6KA==
-----END CERTIFICATE-----
`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
const token = async (wanted: object = {}): Promise<string> => {
  const { status, body } = await server.api('POST', '/v1/enrolment-tokens', wanted);
  expect(status).toBe(201);
  return String(body['token']);
};

describe('enrolment', () => {
  it('when token and proof are good, the device gets its id, its link and a bundle that the token vouches for', async () => {
    const text = await token({ deviceId: 'press-7', name: 'Press 7', groups: ['hall-2'] });
    const { status, answer } = await new RawDevice().enrol(server.url, text);
    expect(status).toBe(201);
    expect(answer).toMatchObject({ deviceId: 'press-7', name: 'Press 7', groups: ['hall-2'] });
    expect(answer['link']).toBe(`${server.url.replace('http', 'ws')}/v1/devices/press-7/link`);
    const { payload, signatures } = answer['trust'] as {
      payload: string;
      signatures: { protected: string }[];
    };
    const { kid } = JSON.parse(Buffer.from(signatures[0]?.protected ?? '', 'base64url').toString()) as {
      kid: string;
    };
    expect(text.split('.')[1]).toBe(kid);
    const bundle = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    expect(bundle).toMatchObject({ version: 1, threshold: 1 });
    const view = await server.api('GET', '/v1/devices/press-7');
    expect(view.body).toMatchObject({ name: 'Press 7', online: false });
  });

  it('when a key that was replaced comes back with a fleet token, it does not get the device back', async () => {
    const lost = new RawDevice();
    const fleet = await token({ maxUses: 9 });
    const { deviceId } = (await lost.enrol(server.url, fleet)).answer;
    const next = new RawDevice();
    expect((await next.enrol(server.url, await token({ deviceId }))).status).toBe(201);
    for (const text of [fleet, await token({ maxUses: 9 }), await token()]) {
      expect([409, 410]).toContain((await lost.enrol(server.url, text)).status);
    }
    expect((await lost.enrol(server.url, await token({ deviceId }))).status).toBe(201);
  });

  it('when the same key comes again with its token, the answer is the same', async () => {
    const text = await token();
    const device = new RawDevice();
    const first = await device.enrol(server.url, text);
    const second = await device.enrol(server.url, text);
    expect(second.status).toBe(201);
    const { serverTime: _, ...same } = first.answer;
    expect(second.answer).toMatchObject(same);
  });

  it('when another key comes with a used one-time token, the answer is 409', async () => {
    const text = await token();
    await new RawDevice().enrol(server.url, text);
    expect(await new RawDevice().enrol(server.url, text)).toMatchObject({
      status: 409,
      answer: { code: 'token-used' },
    });
  });

  it('when two keys race for a one-time token, one of them gets it', async () => {
    const text = await token();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => new RawDevice().enrol(server.url, text)),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(7).fill(409)]);
  });

  it('when a fleet token has its uses, each key counts once and the next is told that it is spent', async () => {
    const text = await token({ maxUses: 2, groups: ['fleet'] });
    const [one, two] = [new RawDevice(), new RawDevice()];
    expect((await one.enrol(server.url, text)).status).toBe(201);
    expect((await one.enrol(server.url, text)).status).toBe(201);
    expect((await two.enrol(server.url, text)).status).toBe(201);
    expect(one.deviceId).not.toBe(two.deviceId);
    expect((await new RawDevice().enrol(server.url, text)).status).toBe(410);
  });

  it.each([
    ['unknown', () => token().then((text) => `x${text}`)],
    ['of another server', () => token().then((text) => `${text.split('.')[0]}.${'a'.repeat(43)}`)],
    ['no token at all', async () => 'garbage'],
  ])('when the token is %s, the answer is 410', async (_, make) => {
    expect((await new RawDevice().enrol(server.url, await make())).status).toBe(410);
  });

  it('when the proof is bad, the answer is 401 before the token is looked at', async () => {
    const device = new RawDevice();
    const bad = [
      { proof: new RawDevice().proof(server.url, { token: 'spent' }) },
      { proof: device.proof('https://evil.example', { token: 'spent' }) },
      { proof: device.proof(server.url, { token: 'another' }) },
      { proof: device.proof(server.url, { token: 'spent', device: { os: 'x' } }) },
    ];
    for (const body of bad) expect((await device.enrol(server.url, 'spent', body)).status).toBe(401);
  });

  it('when only the clock of the device is off, 401 tells the time', async () => {
    const device = new RawDevice();
    const proof = device.proof(server.url, { token: 'x', iat: 1000 });
    const { status, answer } = await device.enrol(server.url, 'x', { proof });
    expect(status).toBe(401);
    expect(answer).toMatchObject({ code: 'clock-off' });
    expect(Math.abs(Number(answer['serverTime']) - Date.now())).toBeLessThan(60_000);
  });

  it('when a key comes in a spelling that is not its own, it is refused: it would count as another device', async () => {
    const device = new RawDevice();
    const { x } = device.publicKey;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const alias = x.slice(0, 42) + (alphabet[alphabet.indexOf(x.slice(42)) + 1] ?? '');
    const publicKey = { ...device.publicKey, x: alias };
    expect((await device.enrol(server.url, await token(), { publicKey })).answer).toMatchObject({
      status: 400,
      code: 'invalid',
    });
    expect((await server.api('POST', '/v1/devices', { deviceId: 'alias-1', publicKey })).status).toBe(400);
  });

  it('when the body is malformed, the answer is 400', async () => {
    expect((await new RawDevice().enrol(server.url, 'x', { publicKey: { kty: 'RSA' } })).status).toBe(400);
    const response = await fetch(`${server.url}/v1/enrolments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{',
    });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toMatch(/problem\+json/);
  });

  it('when the body is larger than 16 KiB, it is refused', async () => {
    const { status } = await new RawDevice().enrol(server.url, 'x', { more: 'x'.repeat(17_000) });
    expect(status).toBe(413);
  });

  it('when there is no token, a key that is known beforehand is let in and no other', async () => {
    const device = new RawDevice();
    expect(await device.enrol(server.url, undefined)).toMatchObject({
      status: 403,
      answer: { code: 'unknown-key' },
    });
    const { publicKey } = device;
    const made = await server.api('POST', '/v1/devices', { deviceId: 'known-1', publicKey });
    expect(made.status).toBe(201);
    expect(await device.enrol(server.url, undefined)).toMatchObject({
      status: 201,
      answer: { deviceId: 'known-1' },
    });
    await device.open();
    expect((await server.api('POST', '/v1/devices', { deviceId: 'known-1', publicKey })).status).toBe(409);
  });

  it('when a known device enrols with a new key, the old key is no longer good and its link ends', async () => {
    const old = await server.device('reborn');
    const link = await old.open();
    const device = await server.device('reborn');
    expect((await link.closed).code).toBe(4401);
    expect((await old.connect().refused).status).toBe(401);
    await device.open();
  });

  it('when a key belongs to a device already, a token for another device does not move it', async () => {
    const device = await server.device('first-name');
    const text = await token({ deviceId: 'second-name' });
    expect(await device.enrol(server.url, text)).toMatchObject({
      status: 409,
      answer: { code: 'key-in-use' },
    });
  });

  it('when a token has expired, the answer is 410, also to the key that has used it', async () => {
    const clock = new FakeClock(Date.now());
    const timed = await startTestServer({}, { clock });
    const made = await timed.api('POST', '/v1/enrolment-tokens', { expiresInMs: 60_000 });
    const [used, unused] = [new RawDevice(), new RawDevice()];
    const text = String(made.body['token']);
    expect((await used.enrol(timed.url, text)).status).toBe(201);
    await clock.advance(60_000);
    expect(await used.enrol(timed.url, text)).toMatchObject({ status: 410, answer: { code: 'token-gone' } });
    expect((await unused.enrol(timed.url, text)).status).toBe(410);
    expect((await timed.api('GET', '/v1/enrolment-tokens')).body['tokens']).toEqual([]);
    await timed.stop();
  });

  it('when the server pins an authority for TLS, the device is told it', async () => {
    const caFile = join(temporaryFolder(), 'ca.pem');
    writeFileSync(caFile, AUTHORITY);
    const pinning = await startTestServer({ enrolment: { caFile } });
    const { body } = await pinning.api('POST', '/v1/enrolment-tokens', {});
    const { answer } = await new RawDevice().enrol(pinning.url, String(body['token']));
    expect(answer['ca']).toBe(AUTHORITY);
    await pinning.stop();
    writeFileSync(caFile, 'no certificate');
    await expect(startTestServer({ enrolment: { caFile } })).rejects.toMatchObject({ code: 'bad-authority' });
  });

  it.each([
    ['400', (device: RawDevice) => device.enrol(server.url, 'x', { device: { os: 7 } })],
    ['401', (device: RawDevice) => device.enrol(server.url, 'x', { proof: 'a.b.c' })],
    ['403', (device: RawDevice) => device.enrol(server.url, undefined)],
    ['410', (device: RawDevice) => device.enrol(server.url, 'gone')],
    ['413', (device: RawDevice) => device.enrol(server.url, 'x', { more: 'x'.repeat(17_000) })],
  ])('when the answer is %s, it is a problem document that no cache keeps', async (status, ask) => {
    const { answer, headers } = await ask(new RawDevice());
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(answer).toMatchObject({
      status: Number(status),
      title: expect.any(String),
      detail: expect.any(String),
    });
    expect(answer['code']).toMatch(/^[a-z-]+$/);
    expect('serverTime' in answer).toBe(status === '401');
  });

  it('when one address asks too often, it is told when to come back', async () => {
    const small = await startTestServer({ enrolment: { burst: 2, perSecond: 0.01 } });
    const tries = [1, 2, 3].map(() => new RawDevice().enrol(small.url, 'x'));
    const answers = await Promise.all(tries);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([410, 410, 429]);
    const late = answers.find(({ status }) => status === 429);
    expect(late?.answer).toMatchObject({ code: 'too-many-requests' });
    expect(Number(late?.headers.get('retry-after'))).toBeGreaterThan(60);
    await small.stop();
  });

  it('when the server is known by a public name, proofs must name that', async () => {
    const behind = await startTestServer({ publicUrl: 'https://fleet.example' });
    const { body } = await behind.api('POST', '/v1/enrolment-tokens', {});
    const device = new RawDevice();
    const text = String(body['token']);
    expect((await device.enrol(behind.url, text)).status).toBe(401);
    const proof = device.proof('https://fleet.example', { token: text });
    const { status, answer } = await device.enrol(behind.url, text, { proof });
    expect(status).toBe(201);
    expect(String(answer['link'])).toMatch(/^wss:\/\/fleet\.example\/v1\/devices\//);
    await behind.stop();
  });
});
