import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How a process fares. */
export interface ProcessVitals {
  /** Resident memory, bytes. */
  rssBytes: number;
  /** The longest that the event loop was late since it was asked last, milliseconds; looked at once a second. */
  eventLoopDelayMs: number;
}

/** Once a second: often enough to see a process that hangs, seldom enough to cost nothing. */
const EVERY_MS = 1000;

/** Watches this process from now on; each call tells of the time since the one before. */
export function watchVitals(): () => ProcessVitals {
  const delay = monitorEventLoopDelay({ resolution: EVERY_MS });
  delay.enable();
  return () => {
    // The histogram holds the time between two looks.
    const lateMs = delay.count === 0 ? 0 : Math.max(0, delay.max / 1e6 - EVERY_MS);
    delay.reset();
    return { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: Math.round(lateMs * 10) / 10 };
  };
}
