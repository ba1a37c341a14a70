import type { Lane } from '@bowline/messages';

/** The lanes by falling priority. The place in this list is the lane's byte in a key: append only, never reorder. */
export const LANES = ['results', 'events', 'telemetry', 'history'] as const satisfies readonly Lane[];

/** A value for each lane. */
export function forEachLane<T>(make: (lane: Lane) => T): Record<Lane, T> {
  return {
    results: make('results'),
    events: make('events'),
    telemetry: make('telemetry'),
    history: make('history'),
  };
}
