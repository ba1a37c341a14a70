import { existsSync } from 'node:fs';
import { bootId, type Clock, type ServerClock } from '@bowline/runtime';
import type { Moment } from '../core/sample.ts';

/** The wall clock counts as right if it is this close to the server's time. */
const CLOSE_MS = 5000;

/**
 * What is known of now. The wall clock is trusted when systemd-timesyncd has set it since boot, or when it agrees with the
 * time of the server; Node cannot ask the kernel itself (adjtimex).
 */
export function deviceMoment(
  clock: Clock,
  { serverClock, clockSynchronisedFile }: { serverClock: ServerClock; clockSynchronisedFile: string },
): () => Moment {
  const thisBoot = bootId();
  return () => {
    const at = clock.wallMs();
    const serverMs = serverClock.nowMs();
    const trusted =
      (serverMs !== undefined && Math.abs(serverMs - at) <= CLOSE_MS) || existsSync(clockSynchronisedFile);
    return { at, monoMs: sinceBootMs(), bootId: thisBoot, trusted };
  };
}

/** CLOCK_MONOTONIC counts from boot and is the same for every process, unlike `performance.now()`. */
const sinceBootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);
