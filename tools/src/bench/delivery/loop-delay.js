/**
 * Loaded into the gateway with `--import`: its event loop can only be watched from inside. SIGUSR2 begins and ends a
 * measurement; at its end the result is in the file that BENCH_LOOP_DELAY_FILE names.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** The timer's own period is part of each interval that it records, milliseconds. */
const RESOLUTION_MS = 1;

const file = process.env['BENCH_LOOP_DELAY_FILE'] ?? '';
let histogram;

process.on('SIGUSR2', () => {
  if (histogram === undefined) {
    histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    histogram.enable();
    return;
  }
  histogram.disable();
  const delayMs = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const { max } = histogram;
  const found = {
    p50: delayMs(histogram.percentile(50)),
    p99: delayMs(histogram.percentile(99)),
    max: delayMs(max),
  };
  histogram = undefined;
  writeFileSync(`${file}.new`, JSON.stringify(found));
  renameSync(`${file}.new`, file);
});
