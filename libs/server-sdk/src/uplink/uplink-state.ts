import { UPLINK_LANES, type Hello, type Lane } from '@bowline/messages';
import { emptyLane, giveUp, raiseHorizon, type LaneState } from './lane-state.ts';
import type { SeqRange } from './seq-ranges.ts';

/** Of a device whose state was lost here: no device has it. */
export const UNKNOWN_EPOCH = '';

/** Everything about a device's uplink that outlives a link. */
export interface UplinkState {
  /** The device's epoch. */
  epoch: string;
  /** Counts its epochs, so that keys of later ones sort after those of earlier ones. */
  generation: number;
  /** When this epoch was first seen, epoch milliseconds. */
  epochSince: number;
  lanes: Record<Lane, LaneState & { logBytes: number; idsBytes: number }>;
  deadLetterBytes: number;
  /** Holes up to these seqs are unexplained if they are open when `events` has come to `eventsUpTo`. */
  awaited?: { eventsUpTo: number; below: Record<Lane, number> };
}

export interface Unexplained {
  lane: Lane;
  ranges: SeqRange[];
}

export interface Opening {
  state: UplinkState;
  /** An epoch other than the one before; false for a device that was never here. */
  newEpoch: boolean;
  /** The device shows less than it once sent in this epoch: it was restored from an older state. */
  rolledBack: Lane[];
  /** It holds no longer what this server lacks of `results`: acks were receipted, and are not here. */
  acksMissing: boolean;
  unexplained: Unexplained[];
}

const forEachLane = <T>(of: (lane: Lane) => T): Record<Lane, T> =>
  Object.fromEntries(UPLINK_LANES.map((lane) => [lane, of(lane)])) as Record<Lane, T>;

/** What a hello does to what is known of the device (protocol, section 3). */
export function open(held: UplinkState | undefined, hello: Hello, now: number): Opening {
  const sameEpoch = held?.epoch === hello.epoch;
  const state = sameEpoch ? structuredClone(held) : renew(held, hello.epoch, now);
  const unexplained = sameEpoch ? [] : openHoles(held);
  const rolledBack: Lane[] = [];
  const { received, horizon } = state.lanes.results;
  const acksMissing = sameEpoch && hello.lanes.results.first - 1 > Math.max(received, horizon);
  for (const lane of UPLINK_LANES) {
    const { first, next } = hello.lanes[lane];
    if (next <= state.lanes[lane].received) rolledBack.push(lane);
    else raiseHorizon(state.lanes[lane], first - 1);
  }
  state.awaited = {
    eventsUpTo: hello.lanes.events.next - 1,
    below: forEachLane((lane) => state.lanes[lane].horizon),
  };
  unexplained.push(...judgeHoles(state));
  return { state, newEpoch: held !== undefined && !sameEpoch, rolledBack, acksMissing, unexplained };
}

/** To be called whenever `events` has moved: holes whose explanation should have come by now. */
export function judgeHoles(state: UplinkState): Unexplained[] {
  const { awaited } = state;
  if (awaited === undefined || state.lanes.events.received < awaited.eventsUpTo) return [];
  delete state.awaited;
  return UPLINK_LANES.flatMap((lane) => {
    const ranges = giveUp(state.lanes[lane], awaited.below[lane]);
    return ranges.length === 0 ? [] : [{ lane, ranges }];
  });
}

export const receivedOf = ({ lanes }: UplinkState): Record<Lane, number> =>
  forEachLane((lane) => lanes[lane].received);

function renew(held: UplinkState | undefined, epoch: string, now: number): UplinkState {
  return {
    epoch,
    generation: (held?.generation ?? 0) + 1,
    epochSince: now,
    lanes: forEachLane((lane) => ({
      ...emptyLane(),
      logBytes: held?.lanes[lane].logBytes ?? 0,
      idsBytes: held?.lanes[lane].idsBytes ?? 0,
    })),
    deadLetterBytes: held?.deadLetterBytes ?? 0,
  };
}

/** With the epoch goes all hope for what was missing in it. */
const openHoles = (held: UplinkState | undefined): Unexplained[] =>
  held === undefined
    ? []
    : UPLINK_LANES.flatMap((lane) => {
        const ranges = held.lanes[lane].holes;
        return ranges.length === 0 ? [] : [{ lane, ranges }];
      });
