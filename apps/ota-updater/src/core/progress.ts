import type { UpdateFigures } from '@bowline/messages/update-status';
import type { Phase } from './update-state.ts';

/** What acks of progress and `status.json` tell. */
export interface ProgressFigures extends UpdateFigures {
  phase: Phase;
}

/** Share of the whole way at which a phase begins, and how much of it the phase takes. Fetching takes longest. */
const WAY: Record<Phase, [from: number, span: number]> = {
  accepted: [0, 0],
  deferred: [0, 0],
  fetching: [0, 70],
  verified: [70, 0],
  staging: [70, 10],
  staged: [80, 0],
  waiting: [80, 0],
  switching: [80, 5],
  rebooting: [85, 0],
  trial: [85, 14],
  committing: [99, 1],
  committed: [100, 0],
  'rolling-back': [85, 0],
  'rebooting-back': [85, 0],
  'rolled-back': [100, 0],
  failed: [100, 0],
  cancelled: [100, 0],
  previewed: [100, 0],
};

/** @param done share of the phase that is done, 0 to 1. */
export function progressOf(
  phase: Phase,
  done: number,
  more: Omit<ProgressFigures, 'phase' | 'percent'> = {},
): ProgressFigures {
  const [from, span] = WAY[phase];
  return { phase, percent: Math.round((from + span * Math.min(1, Math.max(0, done))) * 10) / 10, ...more };
}

export function fetchProgress(bytes: number, totalBytes: number, bytesPerSecond: number): ProgressFigures {
  const remaining = Math.ceil(Math.max(0, totalBytes - bytes) / bytesPerSecond);
  return progressOf('fetching', totalBytes === 0 ? 1 : bytes / totalBytes, {
    bytes,
    totalBytes,
    bytesPerSecond: Math.round(bytesPerSecond),
    ...(Number.isFinite(remaining) ? { remainingSeconds: remaining } : {}),
  });
}
