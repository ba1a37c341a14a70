import { createLogger, systemClock, type Clock } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ATTACHED, openTestRelay, PAIRED, type TestRelay } from '../testing/test-relay.ts';
import { Tunnel, type TunnelEvents } from './tunnel.ts';

const log = createLogger({ app: 'test', write: () => undefined });

let ended: TestRelay | undefined;
afterEach(() => ended?.close());
async function relay(onSocket: (socket: WebSocket) => void): Promise<string> {
  ended = await openTestRelay(onSocket);
  return `${ended.origin}/`;
}
const RATE = { burst: 30, everyMs: 1000 };
const open = (url: string, clock: Clock, events: Partial<TunnelEvents> = {}) =>
  new Tunnel(
    { url, token: 't', streams: 4, rate: () => RATE, ca: undefined, clock, log, random: () => 0.5 },
    { onStream: () => Promise.resolve(), onOver: () => undefined, ...events },
  );

test('when the relay pairs and drops one socket after the other, only so many streams begin at once', async () => {
  let dropped = 0;
  const url = await relay((socket) => {
    socket.send(ATTACHED);
    socket.send(PAIRED);
    socket.close();
    socket.once('close', () => (dropped += 1));
  });
  const clock = new FakeClock();
  let streams = 0;
  const counted = async () => void (streams += 1);
  const tunnel = open(url, clock, { onStream: counted });
  await expect.poll(() => dropped, { timeout: 10_000 }).toBeGreaterThanOrEqual(31);
  await new Promise((done) => setTimeout(done, 200)); // time for many more
  expect(streams).toBe(31);
  await clock.advance(1000);
  await expect.poll(() => streams).toBe(32);
  tunnel.close();
});

test('when the relay drops a stream whose sshd still runs, it counts as open until that has ended', async () => {
  let standing = 0;
  const url = await relay((socket) => {
    standing += 1;
    socket.send(ATTACHED);
    socket.send(PAIRED);
    socket.close();
  });
  const ends: (() => void)[] = [];
  const onStream = () => new Promise<void>((gone) => ends.push(gone));
  const tunnel = open(url, new FakeClock(), { onStream });
  await expect.poll(() => standing).toBe(4);
  await new Promise((done) => setTimeout(done, 200)); // time for one more
  expect([standing, tunnel.open]).toEqual([4, 4]);
  ends[0]?.();
  await expect.poll(() => standing).toBe(5);
  tunnel.close();
});

test('when a session ends while a stream is on its way, none begins', async () => {
  const url = await relay((socket) => {
    // Both in one piece.
    const { _socket: raw } = socket as unknown as { _socket: { cork(): void; uncork(): void } };
    raw.cork();
    socket.send(ATTACHED);
    socket.send(PAIRED);
    process.nextTick(() => raw.uncork());
  });
  let [streams, attached] = [0, false];
  const counted = async () => void (streams += 1);
  // What is cancelled when the device hears that it is attached is the time that this may take.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, callback) => {
      const timer = systemClock.after(delayMs, callback);
      return {
        cancel() {
          timer.cancel();
          if (delayMs !== 20_000 || attached) return;
          attached = true;
          tunnel.close();
        },
      };
    },
  };
  const tunnel = open(url, clock, { onStream: counted });
  await expect.poll(() => attached).toBe(true);
  await new Promise((done) => setTimeout(done, 100));
  expect(streams).toBe(0);
});
