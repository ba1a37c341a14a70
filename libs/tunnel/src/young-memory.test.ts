import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { afterThisFile, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { haveRead } from './young-memory.ts';

const MIB = 1024 * 1024;

/** Collections of the young generation that were asked for; V8 does others by itself. */
let asked = 0;
const isAsked = (entry: PerformanceEntry): boolean => {
  const { kind, flags } = (entry as { detail?: { kind?: number; flags?: number } }).detail ?? {};
  return kind === constants.NODE_PERFORMANCE_GC_MINOR && flags === constants.NODE_PERFORMANCE_GC_FLAGS_FORCED;
};
const observer = new PerformanceObserver((list) => {
  asked += list.getEntries().filter(isAsked).length;
});
observer.observe({ entryTypes: ['gc'] });
afterThisFile(() => observer.disconnect());

test('when 2 MiB were read, in whatever pieces, the young generation is collected, and once for each', async () => {
  haveRead(2 * MIB - 1);
  haveRead(1);
  await waitFor(() => asked === 1);
  for (let read = 0; read < 4 * MIB; read += MIB / 16) haveRead(MIB / 16);
  await waitFor(() => asked === 3);
  expect(asked).toBe(3);
});
