import { FakeClock } from '@bowline/testing';
import { ServerClock } from '@bowline/runtime';
import { describe, expect, test } from 'vitest';
import { asciicast } from './asciicast.ts';
import { dueAt, sessionTimes, type Warning } from './session-time.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;
const T = 1_800_000_000;

describe('the end of a session', () => {
  const times = sessionTimes({ nbf: T, exp: T + 600, idleSeconds: 120 }, T * 1000, 5000);
  const due = (nowMs: number, activeAtMs = nowMs, warned: Warning[] = []) =>
    dueAt(times, { nowMs, activeAtMs, warned: new Set(warned) });

  test('when it nears, those in it are warned once, then it ends', () => {
    expect(due(544_999)).toBeUndefined();
    expect(due(545_000)).toBe('warn-expiry');
    expect(due(545_000, 545_000, ['expiry'])).toBeUndefined();
    expect(due(604_999, 604_999, ['expiry'])).toBeUndefined();
    expect(due(605_000)).toBe('expired');
  });

  test('when nothing moves, it ends earlier, with a warning', () => {
    expect(due(65_000, 5000)).toBe('warn-idle');
    expect(due(65_000, 5000, ['idle'])).toBeUndefined();
    expect(due(125_000, 5000, ['idle'])).toBe('idle');
  });

  test.each([YEAR_MS, -YEAR_MS])('when the wall clock jumps by %i ms, nothing changes', async (jumpMs) => {
    const clock = new FakeClock(T * 1000);
    const server = new ServerClock(clock);
    server.told(T * 1000);
    const grant = { nbf: T, exp: T + 600, idleSeconds: 900 };
    const own = sessionTimes(grant, server.nowMs() ?? 0, clock.sinceBootMs());
    clock.setWallMs(clock.wallMs() + jumpMs);
    await clock.advance(599_999);
    const at = () => ({
      nowMs: clock.sinceBootMs(),
      activeAtMs: clock.sinceBootMs(),
      warned: new Set<Warning>(['expiry']),
    });
    expect(dueAt(own, at())).toBeUndefined();
    expect(Math.round(server.nowMs() ?? 0)).toBe(T * 1000 + 599_999);
    await clock.advance(1);
    expect(dueAt(own, at())).toBe('expired');
  });

  test('when the gateway says that it is a year earlier than when the grant was judged, the session is no longer', () => {
    const grant = { nbf: T, exp: T + 600, idleSeconds: 120 };
    expect(sessionTimes(grant, T * 1000 - YEAR_MS, 5000).endsAtMs).toBe(605_000);
    expect(sessionTimes(grant, T * 1000 + 500_000, 5000).endsAtMs).toBe(105_000);
  });
});

test('when a terminal was logged, it becomes asciicast, and no letter is cut in two', () => {
  const output = Buffer.from('Script started\nhé!\r\n', 'utf8');
  const header = { timestamp: 1, title: 't', width: 80, height: 24 };
  const cast = [...asciicast('0.5 2\n0.25 4\n', output, header)].join('');
  expect(
    cast
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { version: 2, timestamp: 1, title: 't', width: 80, height: 24 },
    [0.5, 'o', 'h'],
    [0.75, 'o', 'é!\r\n'],
  ]);
});
