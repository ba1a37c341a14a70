export interface CommitLimits {
  /** The longest that a sample waits, milliseconds. */
  commitMs: number;
  batchSamples: number;
  batchBytes: number;
}

/** What came first of all is shown soon, whatever `commitMs` says: somebody may be looking. */
export const FIRST_COMMIT_MS = 1000;

/** How long until the buffer is to be handed over: 0 at once, undefined while there is nothing. */
export function commitInMs(
  buffer: { samples: number; bytes: number; isEmpty: boolean; oldestSinceMs: number | undefined },
  limits: CommitLimits,
  { nowMs, first }: { nowMs: number; first: boolean },
): number | undefined {
  if (buffer.isEmpty) return undefined;
  if (buffer.samples >= limits.batchSamples || buffer.bytes >= limits.batchBytes) return 0;
  const patienceMs = first ? Math.min(FIRST_COMMIT_MS, limits.commitMs) : limits.commitMs;
  return Math.max(0, (buffer.oldestSinceMs ?? nowMs) + patienceMs - nowMs);
}
