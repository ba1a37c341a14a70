import { RELEASED_AT, ServerClock } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { SigningTime } from './signing-time.ts';

const NOW = RELEASED_AT + 1000 * 3_600_000;

function setUp(wallMs: number) {
  const clock = new FakeClock(wallMs);
  const serverClock = new ServerClock(clock);
  return { clock, serverClock, time: new SigningTime({ clock, serverClock }) };
}

describe('the time to sign with', () => {
  it('when the clock of the device is good, it is that', () => {
    expect(setUp(NOW).time.nowMs()).toBe(NOW);
  });

  it('when the device wakes up in 1970, it is not before the release', () => {
    expect(setUp(10_000).time.nowMs()).toBe(RELEASED_AT);
  });

  it('when the server has told the time, that wins over the clock of the device', async () => {
    const { time, serverClock, clock } = setUp(10_000);
    serverClock.told(NOW);
    await clock.advance(5000);
    expect(time.nowMs()).toBe(NOW + 5000);
  });

  it('when a refusal tells the time, it is good for signing and for nothing else', async () => {
    const { time, serverClock, clock } = setUp(10_000);
    time.told(NOW);
    await clock.advance(5000);
    expect(time.nowMs()).toBe(NOW + 5000);
    expect(serverClock.nowMs()).toBeUndefined();
  });

  it('when a refusal tells another time than the server did before, it counts until the server is heard again', async () => {
    const { time, serverClock, clock } = setUp(NOW);
    serverClock.told(NOW + 3_600_000);
    time.told(NOW);
    await clock.advance(5000);
    clock.suspend(1000);
    expect(time.nowMs()).toBe(NOW + 6000);
    expect(serverClock.nowMs()).toBe(NOW + 3_606_000);
    serverClock.told(NOW + 7000);
    expect(time.nowMs()).toBe(NOW + 7000);
  });

  it('when a refusal tells a time before the release, it is not believed', () => {
    const { time } = setUp(NOW);
    time.told(0);
    expect(time.nowMs()).toBe(NOW);
  });
});
