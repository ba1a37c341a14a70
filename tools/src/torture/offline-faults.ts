import type { OfflineResult } from './offline.ts';

const MIB = 2 ** 20;
/** A quarter of what a week needs unthinned (docs/benchmarks.md): most of it is thinned then. */
export const MOST_HISTORY_BYTES = 24 * MIB;
/** Beside the file: SQLite's write-ahead log. */
const LOG_BYTES = 8 * MIB;

/** Everything is kept, or thinned and said; within bounds, at the pace, and live samples do not wait. Empty is the good case. */
export function offlineFaults(found: OfflineResult): string[] {
  const checks: [boolean, string][] = [
    [found.missing === 0, 'samples are missing, or more were given up than were told'],
    [found.cameTwice === 0, 'samples came twice'],
    [found.ledger === found.inLog, "the device's ledger and the server's log differ"],
    [found.historyFileBytes <= MOST_HISTORY_BYTES + LOG_BYTES, 'the history outgrew its limit'],
    [found.outboxMessages < 1000, "what was sampled piled up in the gateway's queue"],
    [found.liveMeanwhile > 0, 'live samples waited for the backlog'],
    [found.uploadRate <= 2 * found.uploadRateAllowed, 'the backlog came faster than the server allows'],
  ];
  return checks.flatMap(([holds, fault]) => (holds ? [] : [fault]));
}
