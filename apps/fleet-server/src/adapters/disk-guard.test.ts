import { createLogger } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { expect, it } from 'vitest';
import { DiskGuard } from './disk-guard.ts';

it('when the disk gets low, links are shut, and opened again when there is room', async () => {
  let free = 1000;
  const shut: (string | undefined)[] = [];
  const clock = new FakeClock();
  const guard = new DiskGuard(
    { shut: (reason) => shut.push(reason?.code) },
    { clock, log: createLogger({ app: 'test', write: () => {} }) },
    { minFreeBytes: 500, freeBytes: () => free },
  );
  guard.start();
  expect(shut).toEqual([]);
  free = 499;
  await clock.advance(5000);
  await clock.advance(5000);
  expect(shut).toEqual(['disk-full']);
  free = 500;
  await clock.advance(5000);
  expect(shut).toEqual(['disk-full', undefined]);
  guard.stop();
  expect(clock.pendingTimers).toBe(0);
});
