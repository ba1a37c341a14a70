import { expect, test, vi } from 'vitest';
import { watchVitals } from './process-vitals.ts';

test('when the event loop was held up, it is told how long, once, and the memory is that of this process', async () => {
  const vitals = watchVitals();
  const block = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };
  const pass = (ms: number) => {
    const start = performance.now();
    return vi.waitUntil(() => performance.now() - start > ms, { timeout: 30_000 });
  };
  // The first look only says from when on.
  await pass(1200);
  // Longer than the time between two looks, so one of them must be late.
  block(2500);
  await pass(300);
  const { rssBytes, eventLoopDelayMs } = vitals();
  expect(eventLoopDelayMs).toBeGreaterThan(500);
  expect(rssBytes).toBeGreaterThan(10_000_000);
  expect(vitals().eventLoopDelayMs).toBe(0);
});
