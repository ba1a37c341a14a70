import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterThisFile, FakeClock, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer, type TestServer } from './testing/test-server.ts';

interface Tunnel {
  sessionId: string;
  tunnelUrl: string;
  deviceToken: string;
  operatorUrl: string;
  operatorToken: string;
}
type Text = { type: string; nextToken?: string; stream?: number; operator?: string; expiresAt?: number };

/** A socket at the wire, with all that it got. */
class Socket {
  readonly texts: Text[] = [];
  readonly bytes: Buffer[] = [];
  closed: number | undefined;
  readonly ws: WebSocket;

  constructor(url: string, token: string, protocols = ['bowline.tunnel.v1']) {
    const headers = { authorization: `Bearer ${token}` };
    this.ws = new WebSocket(url, protocols, { headers, perMessageDeflate: false });
    this.ws.on('message', (data: Buffer, isBinary) =>
      isBinary ? this.bytes.push(data) : this.texts.push(JSON.parse(data.toString()) as Text),
    );
    this.ws.on('error', () => undefined);
    this.ws.on('close', (code) => (this.closed = code));
    afterThisFile(() => this.ws.terminate());
  }

  get received(): string {
    return Buffer.concat(this.bytes).toString();
  }
  text(type: string): Promise<Text> {
    return waitFor(() => this.texts.find((each) => each.type === type), { what: type });
  }
  end(): Promise<number> {
    return waitFor(() => this.closed, { what: 'the close' });
  }
}

/** The HTTP status of an upgrade that is refused. */
async function refused(url: string, token: string): Promise<number | undefined> {
  const ws = new WebSocket(url, 'bowline.tunnel.v1', { headers: { authorization: `Bearer ${token}` } });
  ws.on('error', () => undefined);
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode?: number }];
  ws.terminate();
  return response.statusCode;
}

let server: TestServer;
const clock = new FakeClock(Date.now());
beforeAll(async () => {
  const config = { tunnels: { attemptsBurst: 1000 }, commitDeadlineMs: 600_000 };
  server = await startTestServer(config, { clock });
  await server.device('d1');
});

async function open(body: object = {}, of = server): Promise<Tunnel> {
  const answer = await of.api('POST', '/v1/devices/d1/ssh-sessions', { expiresInMs: 600_000, ...body });
  expect(answer.status).toBe(201);
  return answer.body as unknown as Tunnel;
}
const device = (tunnel: Tunnel, token = tunnel.deviceToken) => new Socket(tunnel.tunnelUrl, token);
const operator = (tunnel: Tunnel) => new Socket(tunnel.operatorUrl, tunnel.operatorToken);
async function standBy(tunnel: Tunnel, token = tunnel.deviceToken): Promise<Socket & { nextToken: string }> {
  const socket = device(tunnel, token);
  const { nextToken = '' } = await socket.text('attached');
  return Object.assign(socket, { nextToken });
}
/** Lets a second of the server's clock pass, in which it looks at its sockets. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    await clock.advance(Math.min(1000, left));
    await sleep(2); // for the sockets, whose time is real
  }
}

describe('pairing', () => {
  test('when both are there, the device is told of the operator, and bytes go both ways as they are', async () => {
    const tunnel = await open();
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    above.ws.on('open', () => above.ws.send(Buffer.from('hello')));
    expect(await below.text('paired')).toEqual({
      type: 'paired',
      stream: 1,
      operator: 'admin',
      remote: '127.0.0.1',
    });
    await waitFor(() => below.received === 'hello');
    below.ws.send(Buffer.from([0, 255, 1]));
    await waitFor(() => above.bytes.length);
    expect(above.bytes[0]).toEqual(Buffer.from([0, 255, 1]));
    expect(above.texts).toEqual([]);
    below.ws.close();
    expect(await above.end()).toBe(1000);
  });

  test('when the operator is first, it waits for the device; after ten seconds it gets 503', async () => {
    const tunnel = await open();
    const above = operator(tunnel);
    const below = await standBy(tunnel);
    await below.text('paired');
    expect(above.closed).toBeUndefined();
    const lonely = await open();
    const answer = refused(lonely.operatorUrl, lonely.operatorToken);
    await waitFor(async () => {
      await pass(1000);
      return Promise.race([answer, Promise.resolve(undefined)]);
    });
    expect(await answer).toBe(503);
  });

  test('when more streams are wanted than were made room for, the operator is closed 4429', async () => {
    const tunnel = await open({ streams: 2 });
    const first = await standBy(tunnel);
    const one = operator(tunnel);
    await first.text('paired');
    const second = await standBy(tunnel, first.nextToken);
    operator(tunnel);
    expect(await second.text('paired')).toMatchObject({ stream: 2 });
    const third = await standBy(tunnel, second.nextToken);
    expect(await operator(tunnel).end()).toBe(4429);
    one.ws.close();
    await first.end();
    operator(tunnel);
    expect(await third.text('paired')).toMatchObject({ stream: 3 });
  });

  test('when either end speaks text, or the device before it is paired, it is closed', async () => {
    const tunnel = await open();
    const early = await standBy(tunnel);
    early.ws.send(Buffer.from('early'));
    expect(await early.end()).toBe(1003);
    const below = await standBy(tunnel, early.nextToken);
    const above = operator(tunnel);
    await below.text('paired');
    above.ws.send('text');
    expect([await above.end(), await below.end()]).toEqual([1003, 1003]);
  });

  test('when a frame is above 64 KiB, or the subprotocol another, the socket is closed', async () => {
    const tunnel = await open();
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    await below.text('paired');
    above.ws.send(Buffer.alloc(64 * 1024));
    await waitFor(() => below.bytes.length);
    above.ws.send(Buffer.alloc(64 * 1024 + 1));
    expect(await above.end()).toBe(1009);
    expect(await new Socket(tunnel.tunnelUrl, below.nextToken, ['bowline.v1']).end()).not.toBe(1000);
  });
});

describe('tokens', () => {
  test('when a token was not spent, it may come again and replaces its socket, 4409; its successor spends it', async () => {
    const tunnel = await open();
    const lost = await standBy(tunnel);
    const again = await standBy(tunnel);
    expect(await lost.end()).toBe(4409);
    expect(again.nextToken).not.toBe(lost.nextToken);
    expect(await refused(tunnel.tunnelUrl, lost.nextToken)).toBe(401);
    await standBy(tunnel, again.nextToken);
    expect(await again.end()).toBe(4409);
    expect(await refused(tunnel.tunnelUrl, tunnel.deviceToken)).toBe(401);
  });

  test('when its socket was paired, a token is spent, and the next one is good', async () => {
    const tunnel = await open();
    const below = await standBy(tunnel);
    operator(tunnel);
    await below.text('paired');
    expect(await refused(tunnel.tunnelUrl, tunnel.deviceToken)).toBe(401);
    await standBy(tunnel, below.nextToken);
    expect(below.closed).toBeUndefined();
  });

  test('when a token is of the other side, of another session or made up, it is refused with 401', async () => {
    const [tunnel, other] = [await open(), await open()];
    for (const token of [tunnel.operatorToken, other.deviceToken, 'btn_x'])
      expect(await refused(tunnel.tunnelUrl, token)).toBe(401);
    for (const token of [tunnel.deviceToken, other.operatorToken, server.token])
      expect(await refused(tunnel.operatorUrl, token)).toBe(401);
    expect(await refused(`${server.url.replace('http', 'ws')}/v1/tunnels/none/device`, 'x')).toBe(401);
  });

  test('when the server is killed in between, the device goes on with the token that it holds', async () => {
    const first = await startTestServer();
    await first.device('d1');
    const tunnel = await open({}, first);
    const { nextToken } = await standBy(tunnel);
    await first.stop();
    const second = await startTestServer({ stateDir: first.stateDir });
    const moved = {
      ...tunnel,
      tunnelUrl: tunnel.tunnelUrl.replace(/:\d+/, `:${new URL(second.url).port}`),
      operatorUrl: tunnel.operatorUrl.replace(/:\d+/, `:${new URL(second.url).port}`),
    };
    const below = await standBy(moved, nextToken);
    operator(moved);
    await below.text('paired');
    expect(await refused(moved.tunnelUrl, tunnel.deviceToken)).toBe(401);
  });
});

describe('the end', () => {
  test('when the time is up, all sockets are closed 4410, and so is whoever comes later', async () => {
    const tunnel = await open({ expiresInMs: 5000, streams: 2 });
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    await below.text('paired');
    const next = await standBy(tunnel, below.nextToken);
    clock.setWallMs(clock.wallMs() - 365 * 24 * 3600 * 1000); // makes nothing longer
    await pass(4000);
    expect([below.closed, above.closed, next.closed]).toEqual([undefined, undefined, undefined]);
    await pass(2000);
    expect([await below.end(), await above.end(), await next.end()]).toEqual([4410, 4410, 4410]);
    expect(await device(tunnel, next.nextToken).end()).toBe(4410);
    expect(await operator(tunnel).end()).toBe(4410);
    clock.setWallMs(Date.now());
  });

  test('when the machine of the server slept past the end of a session, it is over', async () => {
    const tunnel = await open({ expiresInMs: 300_000 });
    const below = await standBy(tunnel);
    clock.suspend(400_000);
    await pass(1000);
    expect(await below.end()).toBe(4410);
    clock.setWallMs(Date.now());
  });

  test('when an operator ends it, it is over, and the audit log has who and how many bytes', async () => {
    const tunnel = await open({ user: 'support', reason: 'the valve' });
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    await below.text('paired');
    above.ws.send(Buffer.from('12345'));
    below.ws.send(Buffer.from('123'));
    await waitFor(() => below.received.length === 5 && above.received.length === 3);
    const { body } = await server.api('GET', '/v1/ssh-sessions');
    expect(body['sessions']).toContainEqual(
      expect.objectContaining({
        sessionId: tunnel.sessionId,
        user: 'support',
        reason: 'the valve',
        ready: false,
        openStreams: 1,
        opened: 1,
      }),
    );
    expect(JSON.stringify(body)).not.toMatch(/oken"/);
    expect((await server.api('POST', `/v1/ssh-sessions/${tunnel.sessionId}/end`)).status).toBe(200);
    expect([await below.end(), await above.end()]).toEqual([4410, 4410]);
    expect((await server.api('POST', `/v1/ssh-sessions/${tunnel.sessionId}/end`)).status).toBe(404);
    const { body: page } = await server.api('GET', '/v1/audit?limit=20');
    const entries = (page['entries'] as { action: string; target: Record<string, string> }[]).filter(
      ({ target }) => target['sessionId'] === tunnel.sessionId,
    );
    const of = (action: string) => entries.find((entry) => entry.action === action)?.target;
    expect(of('tunnel.close')).toMatchObject({ deviceId: 'd1', stream: '1', bytesUp: '3', bytesDown: '5' });
    expect(of('tunnel.end')).toMatchObject({ by: 'admin' });
    expect(of('tunnel.open')).toBeDefined();
  });

  test.each(['revoke', 'decommission'])(
    'when its device is shut out (%s), the session is over, and there is no new one',
    async (what) => {
      const deviceId = `no-more-${what}`;
      await server.device(deviceId);
      const path = `/v1/devices/${deviceId}/ssh-sessions`;
      const tunnel = (await server.api('POST', path, { expiresInMs: 600_000 })).body as unknown as Tunnel;
      const other = await open();
      const [below, others] = [await standBy(tunnel), await standBy(other)];
      expect((await server.api('POST', `/v1/devices/${deviceId}/${what}`)).status).toBe(200);
      expect(await below.end()).toBe(4410);
      expect(others.closed).toBeUndefined();
      const code = what === 'revoke' ? 'device-revoked' : 'unknown-device';
      expect((await server.api('POST', path, { expiresInMs: 600_000 })).body).toMatchObject({ code });
    },
  );

  test('when nothing is heard of an end for a minute, it is cut off; one that answers pings is not', async () => {
    const [tunnel, dead] = [await open({ expiresInMs: 3_600_000 }), await open({ expiresInMs: 3_600_000 })];
    const below = await standBy(tunnel);
    const silent = await standBy(dead);
    silent.ws.pause();
    await pass(62_000);
    await waitFor(async () => (await sessionOf(dead))?.ready === false);
    silent.ws.resume();
    expect(await silent.end()).toBe(1006);
    expect(below.closed).toBeUndefined();
    expect((await sessionOf(tunnel))?.ready).toBe(true);
  });
});

describe('back-pressure', () => {
  test('when a reader stalls, the server takes no more than its bound, and nothing is lost once it goes on', async () => {
    const tunnel = await open({ expiresInMs: 3_600_000 });
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    await below.text('paired');
    above.ws.pause();
    const chunk = Buffer.alloc(64 * 1024, 7);
    const total = 64 * 1024 * 1024;
    let sent = 0;
    let taken = 0;
    const feed = () => {
      while (sent < total && sent - taken < 1024 * 1024) {
        sent += chunk.length;
        below.ws.send(chunk, () => {
          taken += chunk.length;
          feed();
        });
      }
    };
    const before = process.memoryUsage().arrayBuffers;
    feed();
    await settled(() => taken);
    expect(taken).toBeLessThan(total / 2);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24 * 1024 * 1024);
    await pass(120_000); // a stalled reader cannot see pings, and is not dead for it
    expect(above.closed).toBeUndefined();
    let got = 0;
    above.ws.on('message', (data: Buffer) => {
      got += data.length;
      above.bytes.length = 0;
    });
    above.ws.resume();
    await waitFor(() => got === total);
  });

  test('when a side takes nothing at all for too long, the stream ends', async () => {
    const tunnel = await open({ expiresInMs: 3_600_000 });
    const below = await standBy(tunnel);
    const above = operator(tunnel);
    await below.text('paired');
    above.ws.pause();
    for (let n = 0; n < 400; n += 1) below.ws.send(Buffer.alloc(64 * 1024));
    await settled(() => below.ws.bufferedAmount);
    await pass(200_000);
    expect(below.closed).toBeUndefined();
    // From the last byte that was taken, which may be one of a moment ago.
    await waitFor(async () => {
      await pass(10_000);
      return below.closed;
    });
  });
});

const sessionOf = async ({ sessionId }: Tunnel) => {
  const { body } = await server.api('GET', '/v1/ssh-sessions');
  return (body['sessions'] as { sessionId: string; ready: boolean }[]).find((s) => s.sessionId === sessionId);
};

/** Waits until a number no longer changes. */
async function settled(read: () => number): Promise<void> {
  let [last, since] = [read(), performance.now()];
  await waitFor(() => {
    if (read() !== last) [last, since] = [read(), performance.now()];
    return performance.now() - since > 300;
  });
}
