import { FakeClock } from '@bowline/testing';
import { expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

it('when a caller has used its burst, it is told how long to wait, and others are not touched', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock, { burst: 3, perSecond: 2 });
  expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0]);
  const waitMs = limiter.take('a');
  expect(waitMs).toBe(500);
  expect(limiter.take('b')).toBe(0);
  await clock.advance(waitMs);
  expect(limiter.take('a')).toBe(0);
  expect(limiter.take('a')).toBeGreaterThan(0);
});

it('when a caller asks again and again while it has to wait, it does not wait for ever', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock, { burst: 1, perSecond: 1 });
  limiter.take('a');
  let passed = 0;
  for (let tenth = 0; tenth < 50; tenth += 1) {
    await clock.advance(100);
    if (limiter.take('a') === 0) passed += 1;
  }
  expect(passed).toBeGreaterThanOrEqual(4);
  expect(passed).toBeLessThanOrEqual(5);
});
