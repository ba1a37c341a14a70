import { createLogger, systemClock, type Clock } from '@bowline/runtime';
import { FakeClock, waitFor } from '@bowline/testing';
import type { TunnelEnd } from '@bowline/tunnel';
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
/** No other timer of a tunnel is as short. */
const RATE = { burst: 30, everyMs: 700 };
const open = (url: string, clock: Clock, events: Partial<TunnelEvents> = {}) =>
  new Tunnel(
    { url, token: 't', streams: 4, rate: () => RATE, ca: undefined, clock, log, random: () => 0.5 },
    { onStream: () => Promise.resolve(), onOver: () => undefined, ...events },
  );

test('when the relay pairs and drops one socket after the other, only so many streams begin at once', async () => {
  const url = await relay((socket) => {
    socket.send(ATTACHED);
    socket.send(PAIRED);
    socket.close();
  });
  const clock = new FakeClock();
  let streams = 0;
  const counted = async () => void (streams += 1);
  const tunnel = open(url, clock, { onStream: counted });
  await waitFor(() => clock.nextTimerInMs === RATE.everyMs, { what: 'the next to wait' });
  expect(streams).toBe(31);
  await clock.advance(RATE.everyMs);
  await waitFor(() => streams === 32);
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
  let closed = 0;
  const onStream = (end: TunnelEnd) => {
    end.onClose(() => (closed += 1));
    return new Promise<void>((gone) => ends.push(gone));
  };
  const clock = new FakeClock();
  const tunnel = open(url, clock, { onStream });
  await waitFor(() => closed === 4);
  expect([standing, tunnel.open]).toEqual([4, 4]);
  expect(clock.pendingTimers).toBe(1); // its own; a fifth socket would have a time within which it must stand by
  ends[0]?.();
  await waitFor(() => standing === 5);
  tunnel.close();
});

test('when a session ends while a stream is on its way, none begins', async () => {
  let gone = false;
  const url = await relay((socket) => {
    socket.once('close', () => (gone = true));
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
  await waitFor(() => gone);
  expect([attached, streams]).toEqual([true, 0]);
});

test('when the relay was away for long, the device tries again before an operator there gives up', async () => {
  const clock = new FakeClock();
  const after = clock.after.bind(clock);
  const delays: number[] = [];
  clock.after = (delayMs, callback) => {
    delays.push(delayMs);
    return after(delayMs, callback);
  };
  const tunnel = open('ws://127.0.0.1:1/', clock);
  const longest = 1500; // half of it by chance
  await waitFor(async () => {
    await clock.advance(500);
    return delays.filter((delayMs) => delayMs === longest).length >= 3;
  });
  const forAttempts = delays.filter((delayMs) => delayMs < 20_000);
  expect(Math.max(...forAttempts)).toBe(longest);
  tunnel.close();
});
