import type { Lane, LedgerEntry } from '@bowline/messages';
import { forEachLane } from '../lanes.ts';
import type {
  DeadLetter,
  DownlinkState,
  DurableQueue,
  JournalEntry,
  LaneState,
  Recovery,
  StoredMessage,
} from '../queue.ts';
import { NO_LIMIT } from './test-queue.ts';

/** All that a store shows of itself, as data, so that it can be compared in another process. */
export interface Snapshot {
  epoch: string;
  recovery: Recovery | undefined;
  lanes: Record<Lane, LaneState>;
  ledger: Record<Lane, LedgerEntry>;
  stored: Record<Lane, StoredMessage[]>;
  /** Newest first. */
  orders: JournalEntry[];
  unfinished: JournalEntry[];
  downlink: DownlinkState;
  /** Newest first. */
  dead: DeadLetter[];
}

/** Reads everything, so that all of it counts as sent from here on. */
export const snapshotOf = (queue: DurableQueue): Snapshot => ({
  epoch: queue.epoch,
  recovery: queue.recovery,
  stored: forEachLane((lane) => queue.read(lane, 0, NO_LIMIT)),
  lanes: queue.lanes(),
  ledger: queue.ledger(),
  orders: queue.recentOrders(1e6),
  unfinished: queue.unfinishedOrders(),
  downlink: queue.downlink(),
  dead: queue.deadLetters(1e6),
});
