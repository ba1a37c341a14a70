import { bootId } from '@bowline/runtime';
import type { ClockReading } from './age-clock.ts';
import type { QueueOptions } from './queue.ts';

/** The clocks that a store decides by, from its options or the kernel. */
export function storeClock(options: QueueOptions): () => ClockReading {
  const boot = options.bootId ?? bootId();
  // Unlike performance.now(), this counts from the boot, so it goes on over a restart of the process.
  const monotonicMs = options.monotonicMs ?? (() => Number(process.hrtime.bigint() / 1_000_000n));
  const serverMs = options.serverMs ?? (() => undefined);
  return () => ({ bootId: boot, monotonicMs: monotonicMs(), serverMs: serverMs() });
}
