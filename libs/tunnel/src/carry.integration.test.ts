import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { systemClock } from '@bowline/runtime';
import { afterThisFile, FakeClock, waitFor } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { carry } from './carry.ts';
import { TUNNEL_FRAME_BYTES } from './names.ts';
import { TunnelEnd } from './tunnel-end.ts';

const MIB = 1024 * 1024;

let server: WebSocketServer;
let here: WebSocket;
let there: WebSocket;
beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  afterThisFile(() => {
    here.terminate();
    server.close();
  });
  here = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  });
  [there] = (await once(server, 'connection')) as [WebSocket];
  await once(here, 'open');
});

describe('carry', () => {
  test('when the source has bytes, they come in frames of 64 KiB at most, and its end closes the tunnel behind them', async () => {
    const frames: Buffer[] = [];
    there.on('message', (data: Buffer) => frames.push(data));
    const source = new PassThrough({ highWaterMark: MIB });
    carry(new TunnelEnd(here, systemClock, 60_000), { source, sink: new PassThrough() });
    source.end(Buffer.alloc(300_000, 7));
    const [code] = (await once(there, 'close')) as [number];
    expect(code).toBe(1000);
    expect(Buffer.concat(frames).equals(Buffer.alloc(300_000, 7))).toBe(true);
    expect(Math.max(...frames.map(({ length }) => length))).toBeLessThanOrEqual(TUNNEL_FRAME_BYTES);
  });

  test('when the other side does not read, the source is not read on, and nothing is lost once it does', async () => {
    there.pause();
    const total = 64 * MIB;
    let produced = 0;
    const source = new PassThrough({ highWaterMark: TUNNEL_FRAME_BYTES });
    const produce = () => {
      while (produced < total) {
        produced += TUNNEL_FRAME_BYTES;
        if (!source.write(Buffer.alloc(TUNNEL_FRAME_BYTES))) return void source.once('drain', produce);
      }
      return void source.end();
    };
    carry(new TunnelEnd(here, systemClock, 60_000), { source, sink: new PassThrough() });
    produce();
    await untilStill(() => produced);
    expect(produced).toBeLessThan(total / 2);
    let received = 0;
    there.on('message', (data: Buffer) => (received += data.length));
    there.resume();
    await waitFor(() => received === total);
  });

  test('when the sink does not take what comes, the tunnel is not read on, and nothing is lost once it does', async () => {
    const taken: (() => void)[] = [];
    let [received, open] = [0, false];
    const sink = new Writable({
      highWaterMark: TUNNEL_FRAME_BYTES,
      write(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        if (open) done();
        else taken.push(done);
      },
    });
    carry(new TunnelEnd(here, systemClock, 60_000), { source: new PassThrough(), sink });
    let sent = 0;
    const send = () => {
      if (sent >= 64 * MIB) return;
      sent += TUNNEL_FRAME_BYTES;
      there.send(Buffer.alloc(TUNNEL_FRAME_BYTES), send);
    };
    send();
    await untilStill(() => sent);
    expect(sent).toBeLessThan(32 * MIB);
    open = true;
    for (const done of taken.splice(0)) done();
    await waitFor(() => received === 64 * MIB);
  });
});

test('when an end answers no ping, it is cut off after a minute', async () => {
  const clock = new FakeClock();
  const end = new TunnelEnd(here, clock, 300_000);
  there.pause();
  await clock.advance(59_000);
  end.tick();
  expect(end.isOpen).toBe(true);
  await clock.advance(2000);
  end.tick();
  await once(here, 'close');
});

/** Waits until a number no longer changes. */
async function untilStill(read: () => number): Promise<void> {
  let [last, since] = [read(), performance.now()];
  await waitFor(() => {
    if (read() !== last) [last, since] = [read(), performance.now()];
    return performance.now() - since > 300;
  });
}
