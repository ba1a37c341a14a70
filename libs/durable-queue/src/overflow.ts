import type { Lane } from '@bowline/messages';
import type { Draft } from './draft.ts';
import { reportRuns, type GapContext } from './gap-report.ts';
import { takeHead } from './lane-head.ts';
import { DROP_SHARE } from './limits.ts';
import type { LaneLimits } from './queue.ts';

/** Lanes that drop their oldest when full; the others refuse (protocol, section 4). */
export const DROPPING_LANES = ['telemetry', 'history'] as const satisfies readonly Lane[];
export const drops = (lane: Lane): boolean => (DROPPING_LANES as readonly Lane[]).includes(lane);

/** Brings a lane that grew above its caps below them again, oldest first, a chunk at a time, and reports what went. */
export function dropOverflow(draft: Draft, lane: Lane, limits: LaneLimits, context: GapContext): void {
  const counters = draft.state.lanes[lane];
  const { messages, bytes } = counters;
  if (messages <= limits.messages && bytes <= limits.bytes) return;
  const keptMessages = messages > limits.messages ? lowWater(limits.messages) : limits.messages;
  const keptBytes = bytes > limits.bytes ? lowWater(limits.bytes) : limits.bytes;
  const taken = takeHead(
    draft,
    lane,
    (_seq, _ageMs, taken) => messages - taken.messages > keptMessages || bytes - taken.bytes > keptBytes,
  );
  counters.dropped += taken.messages;
  reportRuns(draft, lane, taken.runs, 'overflow', context);
}

/** Down to what a full lane is brought. */
export const lowWater = (limit: number): number => limit - Math.floor(limit * DROP_SHARE);

/** Never looks more often than this for messages that have grown too old. */
const SHORTEST_EXPIRY_STEP_MS = 1000;

/**
 * Drops what has grown too old, and reports it.
 *
 * @returns the age at which to look again.
 */
export function expire(draft: Draft, lane: Lane, maxAgeMs: number, context: GapContext): number {
  const counters = draft.state.lanes[lane];
  let oldest = draft.ageMs;
  const taken = takeHead(draft, lane, (_seq, ageMs) => {
    oldest = ageMs;
    return ageMs + maxAgeMs <= draft.ageMs;
  });
  counters.expired += taken.messages;
  reportRuns(draft, lane, taken.runs, 'expired', context);
  return Math.max(oldest + maxAgeMs, draft.ageMs) + Math.max(SHORTEST_EXPIRY_STEP_MS, maxAgeMs * DROP_SHARE);
}
