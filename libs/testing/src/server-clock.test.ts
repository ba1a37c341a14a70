import { ServerClock } from '@bowline/runtime';
import { expect, test } from 'vitest';
import { FakeClock } from './fake-clock.ts';

test('when the device was suspended or its wall clock was set, the time of the server went on', async () => {
  const clock = new FakeClock();
  const server = new ServerClock(clock);
  expect(server.nowMs()).toBeUndefined();
  server.told(1000);
  await clock.advance(50);
  clock.suspend(3_600_000);
  clock.setWallMs(7);
  expect(server.nowMs()).toBe(3_601_050);
});
