import { isDeepStrictEqual } from 'node:util';
import { FrameError, LANE_OF, type Lane, type Message } from '@bowline/messages';
import { checkUplink, type UplinkMessage } from '@bowline/messages/uplink';
import type { DeadLetterRecord } from './dead-letters.ts';
import { place, take } from './lane-state.ts';
import type { LoggedMessage } from './uplink-log.ts';
import type { UplinkState } from './uplink-state.ts';

/** A durable message as it stands in a frame: lane and seq are there. */
export type DurableMessage = Message<string, Record<string, unknown>> & { lane: Lane; seq: number };

/** What the server still holds of earlier messages. */
export interface Held {
  /** Under a seq of the current epoch. */
  message(lane: Lane, seq: number): LoggedMessage | undefined;
  deadLetter(lane: Lane, seq: number, id: string): DeadLetterRecord | undefined;
  /** Came in an earlier epoch of the device, and was numbered anew. */
  isFromEarlierEpoch(lane: Lane, id: string): boolean;
}

export interface FinalReject {
  message: DurableMessage;
  code: string;
  detail: string;
  /** The server holds it as a dead letter already and only repeats itself. */
  repeated: boolean;
}

export interface Intake {
  lane: Lane;
  /** New and good: to be stored. */
  kept: UplinkMessage[];
  rejects: FinalReject[];
  /** Seen before, the same: receipted in silence. */
  duplicates: number;
}

/**
 * Judges the messages of one frame, which are of one lane with consecutive seqs, and marks their seqs in `state`
 * (protocol, section 4). Nothing is written here; what it refuses is no hole.
 */
export function judge(messages: readonly DurableMessage[], state: UplinkState, held: Held): Intake {
  const [first] = messages;
  const last = messages.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a frame has at least one message');
  const { lane } = first;
  const laneState = state.lanes[lane];
  const intake: Intake = { lane, kept: [], rejects: [], duplicates: 0 };

  if (first.seq > laneState.horizon) {
    for (const message of messages) judgeNew(message, held, intake);
    take(laneState, { from: first.seq, to: last.seq });
    return intake;
  }
  for (const message of messages) {
    if (place(laneState, message.seq) === 'known') judgeKnown(message, held, intake);
    else {
      judgeNew(message, held, intake);
      take(laneState, { from: message.seq, to: message.seq });
    }
  }
  return intake;
}

function judgeNew(message: DurableMessage, held: Held, intake: Intake): void {
  const { lane } = message;
  try {
    const checked = checkUplink(message);
    if (!belongsOn(lane, checked)) {
      const detail = `${message.type} does not belong on lane ${lane}`;
      intake.rejects.push({ message, code: 'invalid', detail, repeated: false });
    } else if (held.isFromEarlierEpoch(lane, message.id)) intake.duplicates += 1;
    else intake.kept.push(checked);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    intake.rejects.push({ message, code: error.code, detail: error.message, repeated: false });
  }
}

function judgeKnown(message: DurableMessage, held: Held, intake: Intake): void {
  const { lane, seq, id, type, payload } = message;
  const refused = held.deadLetter(lane, seq, id);
  if (refused !== undefined) {
    intake.rejects.push({ message, code: refused.code, detail: refused.detail, repeated: true });
    return;
  }
  const stored = held.message(lane, seq);
  const same =
    stored === undefined ||
    (stored.id === id && stored.type === type && isDeepStrictEqual(stored.payload, payload));
  if (same) intake.duplicates += 1;
  else {
    const detail = `seq ${seq} of lane ${lane} was another message before`;
    intake.rejects.push({ message, code: 'conflict', detail, repeated: false });
  }
}

function belongsOn(lane: Lane, { type, payload }: UplinkMessage): boolean {
  if (type === 'telemetry') return lane === 'telemetry' || lane === 'history';
  if (type === 'ack' && payload.status === 'progress') return false;
  return (LANE_OF as Record<string, Lane>)[type] === lane;
}
