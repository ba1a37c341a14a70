import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { afterThisFile } from './clean-up.ts';
import { FaultProxy } from './fault-proxy.ts';
import { seededRandom } from './seeded-random.ts';
import { waitFor } from './wait-for.ts';

/** One side of a connection, and what it has seen. */
class Side {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => (this.received = Buffer.concat([this.received, bytes])));
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
    afterThisFile(() => void socket.destroy());
  }

  get text(): string {
    return this.received.toString();
  }

  has(text: string): Promise<unknown> {
    return waitFor(() => this.text === text, { what: `"${text}" instead of "${this.text}"` });
  }
}

let proxy: FaultProxy;
let accepted: Side[];

beforeEach(async () => {
  accepted = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new Side(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterThisFile(() => void server.close());
  proxy = await FaultProxy.start((server.address() as AddressInfo).port, seededRandom(7));
});

async function joined(): Promise<{ device: Side; server: Side }> {
  const count = accepted.length;
  const device = new Side(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }));
  const server = await waitFor(() => accepted[count]);
  return { device, server };
}

describe('the weather', () => {
  test('when it is fair, bytes and ends pass in both directions, each on its own', async () => {
    const { device, server } = await joined();
    device.socket.end('up');
    await server.has('up');
    await waitFor(() => server.ended);
    server.socket.end('down');
    await device.has('down');
    await waitFor(() => device.closed && server.closed);
  });

  test('when the server is not there, the device is told', async () => {
    const nowhere = await FaultProxy.start(1, seededRandom(7));
    const device = new Side(connect(nowhere.port, '127.0.0.1'));
    await waitFor(() => device.closed);
  });

  test('when a direction drops, its bytes and its end vanish for good and the other goes on', async () => {
    const { device, server } = await joined();
    proxy.drop('up');
    device.socket.write('lost');
    server.socket.write('down');
    await device.has('down');
    proxy.heal();
    device.socket.end('also lost: the stream has a hole');
    const other = await joined();
    other.device.socket.write('new');
    await other.server.has('new');
    expect([server.text, server.ended]).toEqual(['', false]);
  });

  test('when a direction holds, its bytes come after the healing', async () => {
    const { device, server } = await joined();
    proxy.hold('up');
    device.socket.write('late');
    server.socket.write('down');
    await device.has('down');
    expect(server.text).toBe('');
    proxy.heal();
    await server.has('late');
  });

  test('when it delays with jitter, everything comes in order and not before its time', async () => {
    const { device, server } = await joined();
    proxy.change('up', { delayMs: 40, jitterMs: 40 });
    const startedAtMs = performance.now();
    for (const letter of 'abcdefgh') {
      device.socket.write(letter);
      await new Promise(setImmediate);
    }
    await server.has('abcdefgh');
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(40);
  });

  test('when it throttles, bytes take at least their time and all come', async () => {
    const { device, server } = await joined();
    proxy.change('down', { bytesPerSecond: 10_000 });
    const startedAtMs = performance.now();
    server.socket.write(Buffer.alloc(2000, 'x'));
    await device.has('x'.repeat(2000));
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(150);
  });

  test('when the receiver does not read, the sender is held back, and all comes when it reads again', async () => {
    const { device, server } = await joined();
    server.socket.pause();
    const bytes = Buffer.alloc(32 << 20, 'x');
    device.socket.write(bytes);
    await waitFor(() => proxy.connections[0]?.device.isPaused());
    const counted = { bytes: 0 };
    server.socket.removeAllListeners('data');
    server.socket.on('data', (chunk: Buffer) => (counted.bytes += chunk.length));
    server.socket.resume();
    await waitFor(() => counted.bytes === bytes.length);
  });
});

describe('a blow', () => {
  test('when it cuts, both sides are reset', async () => {
    const { device, server } = await joined();
    proxy.cut();
    await waitFor(() => device.closed && server.closed);
  });

  test.each(['device', 'server'] as const)(
    'when it leaves a connection half open, the %s goes on believing',
    async (who) => {
      const sides = await joined();
      const [believer, other] =
        who === 'device' ? [sides.device, sides.server] : [sides.server, sides.device];
      proxy.halfOpen(who);
      await waitFor(() => other.closed);
      await new Promise((resolve) => believer.socket.write('anybody there?', resolve));
      await joined();
      expect([believer.ended, believer.closed]).toEqual([false, false]);
    },
  );

  test('when a connection is stranded, its bytes come after those of the next, and only once delivered', async () => {
    const first = await joined();
    proxy.hold('up');
    first.device.socket.write('old');
    await waitFor(() => proxy.connections[0]?.recorded.length === 3);
    const deliver = proxy.strand();
    await waitFor(() => first.device.closed);
    proxy.heal();
    const second = await joined();
    second.device.socket.write('new');
    await second.server.has('new');
    expect([first.server.text, first.server.closed]).toEqual(['', false]);
    deliver();
    await first.server.has('old');
  });

  test('when a connection is replayed, the server gets the same bytes on a new one', async () => {
    const { device, server } = await joined();
    device.socket.write('once more');
    await server.has('once more');
    const [connection] = proxy.connections;
    const answer = connection && proxy.replay(connection, 2);
    const again = await waitFor(() => accepted[1]);
    await again.has('once more');
    again.socket.write('no');
    expect(await answer).toBe('no');
  });

  test('when a slow loris answers, letters trickle without end and the server is not asked', async () => {
    proxy.slowLoris(2);
    const device = new Side(connect(proxy.port, '127.0.0.1'));
    device.socket.write('GET / HTTP/1.1\r\n\r\n');
    await waitFor(() => /^HTTP\/1.1 101 [^\r]+\r\nX-Slow: [a-z]{5,}$/.test(device.text));
    expect(accepted).toHaveLength(0);
    device.socket.end();
    await waitFor(() => device.closed);
  });
});

describe('a blow at a frame', () => {
  /** A WebSocket through the proxy. */
  async function linked() {
    const listener = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    afterThisFile(() => void listener.close());
    await once(listener, 'listening');
    const framed = await FaultProxy.start((listener.address() as AddressInfo).port, seededRandom(7));
    const accepting = once(listener, 'connection') as Promise<[WebSocket]>;
    const device = new WebSocket(`ws://127.0.0.1:${framed.port}`);
    afterThisFile(() => device.terminate());
    await once(device, 'open');
    const [server] = await accepting;
    const seen: string[] = [];
    const errors: string[] = [];
    const codes: number[] = [];
    for (const [name, socket] of Object.entries({ device, server })) {
      socket.on('message', (data) => seen.push(`${name} ${String(data)}`));
      socket.on('error', (error: Error & { code?: string }) => errors.push(`${name} ${error.code}`));
      socket.on('close', (code) => codes.push(code));
    }
    return { framed, device, server, seen, errors, codes };
  }

  test('when it cuts in a frame, the frames before have come and that one never does', async () => {
    const { framed, device, seen, codes } = await linked();
    device.send('whole');
    await waitFor(() => seen.length === 1);
    framed.cutMidFrame('up');
    device.send('in part');
    await waitFor(() => codes.length === 2);
    expect({ seen, codes }).toEqual({ seen: ['server whole'], codes: [1006, 1006] });
  });

  test('when it puts garbage between frames, the receiver chokes on it and the other direction was untouched', async () => {
    const { framed, device, server, seen, errors } = await linked();
    framed.garbage('up', 64);
    server.send('down');
    await waitFor(() => seen.length === 1);
    device.send('after the garbage');
    await waitFor(() => errors.some((error) => error.startsWith('server WS_ERR')));
    expect(seen).toEqual(['device down']);
  });
});
