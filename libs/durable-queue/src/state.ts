import { randomUUID } from 'node:crypto';
import type { Lane, LedgerEntry } from '@bowline/messages';
import { jsonRecord, type Writes } from '@bowline/record-store';
import { ageMs, saveAge, type ClockReading, type SavedAge } from './age-clock.ts';
import { stateKey } from './keys.ts';
import { forEachLane } from './lanes.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import type { Numbering } from './numbering.ts';
import type { DownlinkState } from './queue.ts';

/**
 * The one record that every transaction rewrites: all counters, so that they are true after any crash without counting
 * anything anew.
 */
export interface StoreState {
  schema: number;
  epoch: string;
  /** Number of the transaction, counted up. */
  commit: number;
  age: SavedAge;
  lanes: Record<Lane, LaneCounters>;
  /** The youngest producers of each app, with the highest batch stored of each. */
  producers: Record<string, ProducerMark[]>;
  downlink: DownlinkState;
  journal: { next: number; entries: number; unfinished: number; bytes: number };
  /** `forgotten`: gone for want of room, since the store was made; absent: none. */
  dead: { first: number; next: number; entries: number; bytes: number; forgotten?: number };
  /** The last gap report about each lane: a run of seqs that goes on extends it as long as nobody has read it. */
  gaps: Partial<Record<Lane, GapMark>>;
  /** Of the lanes that were numbered anew; everywhere else in this store a seq means the place in the file. */
  numbering: Numbering;
}

/** `messages` are waiting; accepted = receipted + expired + dropped + rejected + messages. */
export interface LaneCounters {
  first: number;
  next: number;
  /** Highest seq that may have been sent in this epoch. */
  offered: number;
  messages: number;
  bytes: number;
  accepted: number;
  receipted: number;
  expired: number;
  dropped: number;
  rejected: number;
}

export interface ProducerMark {
  id: string;
  batch: number;
}

export interface GapMark {
  /** Seq of the report in `events`. */
  seq: number;
  from: number;
  to: number;
  reason: string;
  /** Of the report: they stay when it is extended. */
  id: string;
  sentAt: number;
}

export function newState(now: ClockReading): StoreState {
  return {
    schema: SCHEMA_VERSION,
    epoch: randomUUID(),
    commit: 0,
    age: saveAge({ ms: 0, bootId: now.bootId, monotonicMs: now.monotonicMs }, now),
    lanes: forEachLane(() => ({
      first: 1,
      next: 1,
      offered: 0,
      messages: 0,
      bytes: 0,
      accepted: 0,
      receipted: 0,
      expired: 0,
      dropped: 0,
      rejected: 0,
    })),
    producers: {},
    downlink: { received: 0 },
    journal: { next: 0, entries: 0, unfinished: 0, bytes: 0 },
    dead: { first: 0, next: 0, entries: 0, bytes: 0 },
    gaps: {},
    numbering: {},
  };
}

/** The state that the next transaction starts from; changing it leaves `state` alone. */
export function nextState(state: StoreState, now: ClockReading): StoreState {
  return {
    ...state,
    commit: state.commit + 1,
    age: saveAge(state.age, now),
    lanes: forEachLane((lane) => ({ ...state.lanes[lane] })),
    producers: { ...state.producers },
    journal: { ...state.journal },
    dead: { ...state.dead },
    gaps: { ...state.gaps },
  };
}

/** The same in a new epoch (protocol, section 3). @param numbering of what waits, from 1. */
export function inNewEpoch(state: StoreState, now: ClockReading, numbering: Numbering): StoreState {
  const next = nextState(state, now);
  for (const counters of Object.values(next.lanes)) counters.offered = counters.first - 1;
  return {
    ...next,
    epoch: randomUUID(),
    // The server sends what has not ended again from seq 1; the journal knows it by its ids.
    downlink: { ...state.downlink, received: 0 },
    gaps: {},
    numbering,
  };
}

export const ageOf = (state: StoreState, now: ClockReading): number => ageMs(state.age, now);

export const ledgerOf = (state: StoreState): Record<Lane, LedgerEntry> =>
  forEachLane((lane) => {
    const { accepted, receipted, expired, dropped, rejected, messages } = state.lanes[lane];
    return { accepted, receipted, expired, dropped, rejected, waiting: messages };
  });

/** The transaction that writes nothing but the state. */
export const stateOnly = (state: StoreState): Writes =>
  new Map([[stateKey().toString('latin1'), jsonRecord(stateKey(), state, state.commit)]]);
