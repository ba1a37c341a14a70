import { createLogger, systemClock, type Clock } from '@bowline/runtime';
import type { ProxySettings } from '@bowline/runtime/proxy';
import { FakeClock, waitFor } from '@bowline/testing';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import type { TunnelEnd } from '@bowline/tunnel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
const open = (
  url: string,
  clock: Clock,
  events: Partial<TunnelEvents> = {},
  proxy: () => ProxySettings | undefined = () => undefined,
) =>
  new Tunnel(
    { url, token: 't', streams: 4, rate: () => RATE, ca: undefined, proxy, clock, log, random: () => 0.5 },
    { onStream: () => Promise.resolve(), onTrouble: () => undefined, onOver: () => undefined, ...events },
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

describe('a tunnel through a proxy', () => {
  let proxy: ConnectProxy;
  let routes: Record<string, number>;
  let troubles: string[];
  let tunnel: Tunnel | undefined;
  beforeEach(async () => {
    routes = {};
    troubles = [];
    proxy = await ConnectProxy.start({ credentials: 'device:se cret', routes });
  });
  afterEach(() => {
    tunnel?.close();
    proxy.stop();
  });

  const way = () => ({ url: new URL(`http://device:se%20cret@127.0.0.1:${proxy.port}`), except: [] });
  async function through(
    onSocket: (socket: WebSocket) => void,
    events: Partial<TunnelEvents> = {},
  ): Promise<void> {
    routes['relay.example:80'] = Number(new URL(await relay(onSocket)).port);
    const onTrouble = (why: string) => void troubles.push(why);
    tunnel = open('ws://relay.example/', systemClock, { onTrouble, ...events }, way);
  }

  test('when it is the only way, the tunnel goes through it, and comes back after it was cut off', async () => {
    let sockets = 0;
    await through((socket) => {
      sockets += 1;
      socket.send(ATTACHED);
    });
    await waitFor(() => sockets === 1);
    expect(proxy.asked).toEqual(['relay.example:80']);
    proxy.cut();
    await waitFor(() => sockets === 2);
  });

  test('when it refuses, that is told once with its answer, never as one of the relay, and it is tried again', async () => {
    let over: string | undefined;
    proxy.says = '401 Unauthorized';
    let sockets = 0;
    await through(() => (sockets += 1), { onOver: (why) => (over = why) });
    await waitFor(() => proxy.asked.length >= 3, { what: 'more attempts' });
    expect(troubles).toEqual([`the proxy 127.0.0.1:${proxy.port} answered 401 Unauthorized`]);
    proxy.says = undefined;
    await waitFor(() => sockets === 1);
    expect(over).toBeUndefined();
  });

  test('when it does not answer and the session ends, no connection is left', async () => {
    proxy.hangs = true;
    await through(() => undefined);
    await waitFor(() => proxy.open === 1);
    tunnel?.close();
    await waitFor(() => proxy.open === 0, { what: 'the connection to be gone' });
    expect(troubles).toEqual([]);
  });
});
