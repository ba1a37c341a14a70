import type { Lane } from '@bowline/messages';
import { forEachLane } from './lanes.ts';
import type { StoreState } from './state.ts';

/**
 * How far each lane has been read: what was read may have been sent, so it must never change. Volatile; what a process
 * finds at its start counts as read.
 */
export class ReadMarks {
  #readUpTo: Record<Lane, number>;
  /** First seq in `events` that the transaction under way changes: not to be read before it has ended. */
  heldFrom = Number.POSITIVE_INFINITY;

  constructor(state: StoreState) {
    this.#readUpTo = forEachLane((lane) => state.lanes[lane].next - 1);
  }

  /** After the store was renumbered: the old marks mean nothing. */
  reset(state: StoreState): void {
    this.#readUpTo = forEachLane((lane) => state.lanes[lane].next - 1);
  }

  upTo(lane: Lane): number {
    return this.#readUpTo[lane];
  }

  read(lane: Lane, seq: number): void {
    if (seq > this.#readUpTo[lane]) this.#readUpTo[lane] = seq;
  }
}
