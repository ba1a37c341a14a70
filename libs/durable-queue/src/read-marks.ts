import type { Lane } from '@bowline/messages';
import { forEachLane } from './lanes.ts';
import type { StoreState } from './state.ts';

/** How far each lane has been read: what was read may have been sent. Volatile. */
export class ReadMarks {
  /** What was ever read, by earlier processes too, must never change; so what is found at the start counts as read. */
  #readUpTo: Record<Lane, number>;
  /** What the server of the present link may answer: only what this process has read. */
  #answerableUpTo: Record<Lane, number> = forEachLane(() => 0);
  /** First seq in `events` that the transaction under way changes: not to be read before it has ended. */
  heldFrom = Number.POSITIVE_INFINITY;

  constructor(state: StoreState) {
    this.#readUpTo = forEachLane((lane) => state.lanes[lane].next - 1);
  }

  /** After the store was renumbered: the old marks mean nothing. */
  reset(state: StoreState): void {
    this.#readUpTo = forEachLane((lane) => state.lanes[lane].next - 1);
    this.#answerableUpTo = forEachLane(() => 0);
  }

  answerableUpTo(lane: Lane): number {
    return this.#answerableUpTo[lane];
  }

  readUpTo(lane: Lane): number {
    return this.#readUpTo[lane];
  }

  read(lane: Lane, seq: number): void {
    this.#readUpTo[lane] = Math.max(this.#readUpTo[lane], seq);
    this.#answerableUpTo[lane] = Math.max(this.#answerableUpTo[lane], seq);
  }
}
