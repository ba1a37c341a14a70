import type { BatchCut, DurableQueue } from '@bowline/durable-queue';
import { UPLINK_LANES, type Lane } from '@bowline/messages';
import type { AckTracker } from './ack-tracker.ts';
import type { LinkLimits } from './connection/resume.ts';
import type { ReplayPace } from './sender/replay-offline.ts';

/** A frame ready for the socket. */
export interface OutgoingFrame {
  lane: Lane;
  /** UTF-8 of the JSON text. */
  data: Buffer;
  fromSeq: number;
  toSeq: number;
  messages: number;
}

export type NextFrame =
  | { kind: 'frame'; frame: OutgoingFrame }
  /** Above the server's largest frame: it can never be sent. */
  | { kind: 'too-large'; lane: Lane; seq: number; bytes: number }
  | { kind: 'nothing'; retryInMs?: number };

/** Room for `{"type":"batch","lane":"…","messages":[` and its end, or for the lane in a single frame. */
const FRAME_OVERHEAD_BYTES = 64;
/**
 * Share of the window that is kept from a lane: a quarter is for results and events alone (protocol, section 4), another is
 * kept from history, so that live telemetry never waits for a replay.
 */
const KEPT_FROM: Record<Lane, number> = { results: 0, events: 0, telemetry: 1 / 4, history: 1 / 2 };

/**
 * What to send next: the highest lane that holds something new and has room in the window. Reads from the durable queue
 * only what it is about to send, so memory does not grow with the backlog.
 */
export class OutgoingQueue {
  readonly #queue: Pick<DurableQueue, 'cut'>;
  readonly #acks: AckTracker;
  readonly #limits: LinkLimits;
  readonly #pace: ReplayPace;
  readonly #perFrame: number;
  /** Until when nothing is taken from a lane, monotonic milliseconds. */
  readonly #held = new Map<Lane, number>();

  /** @param perFrame most messages in one frame. */
  constructor(
    queue: Pick<DurableQueue, 'cut'>,
    acks: AckTracker,
    limits: LinkLimits,
    pace: ReplayPace,
    perFrame = Infinity,
  ) {
    this.#queue = queue;
    this.#acks = acks;
    this.#limits = limits;
    this.#pace = pace;
    this.#perFrame = perFrame;
  }

  /** Lets a lane stand still, since its next message can be neither sent nor set aside now. */
  hold(lane: Lane, untilMs: number): void {
    this.#held.set(lane, untilMs);
  }

  next(monotonicMs: number): NextFrame {
    let retryInMs: number | undefined;
    const waits = (ms: number) => (retryInMs = Math.min(retryInMs ?? Infinity, ms));
    for (const lane of UPLINK_LANES) {
      const heldMs = (this.#held.get(lane) ?? -Infinity) - monotonicMs;
      if (heldMs > 0) {
        waits(heldMs);
        continue;
      }
      const room = this.#room(lane);
      if (room === undefined) continue;
      const paced = lane === 'history' ? this.#pace.allowed(monotonicMs) : Infinity;
      if (paced < 1) {
        waits(this.#pace.nextInMs(monotonicMs));
        continue;
      }
      const cut = this.#queue.cut(lane, this.#acks.sentUpTo(lane), {
        messages: Math.min(room.messages, paced, this.#perFrame),
        bytes: Math.min(room.bytes, this.#limits.frameBytes) - FRAME_OVERHEAD_BYTES,
      });
      if (cut === undefined) continue;
      const bytes = cut.body.length + FRAME_OVERHEAD_BYTES;
      if (bytes > this.#limits.frameBytes) return { kind: 'too-large', lane, seq: cut.from, bytes };
      if (bytes > room.bytes && this.#acks.inFlight().messages > 0) continue;
      if (lane === 'history') this.#pace.taken(cut.messages);
      return {
        kind: 'frame',
        frame: { lane, data: frameOf(cut), fromSeq: cut.from, toSeq: cut.to, messages: cut.messages },
      };
    }
    return { kind: 'nothing', ...(retryInMs === undefined ? {} : { retryInMs }) };
  }

  /** What the window still takes from this lane. One message may always be in flight. */
  #room(lane: Lane): { messages: number; bytes: number } | undefined {
    const { inflightMessages, inflightBytes } = this.#limits;
    const inFlight = this.#acks.inFlight();
    const share = KEPT_FROM[lane];
    const messages = inflightMessages - Math.ceil(inflightMessages * share) - inFlight.messages;
    const bytes = inflightBytes - Math.ceil(inflightBytes * share) - inFlight.bytes;
    if (messages >= 1 && bytes > FRAME_OVERHEAD_BYTES) return { messages, bytes };
    return inFlight.messages === 0 ? { messages: 1, bytes: this.#limits.frameBytes } : undefined;
  }
}

/** The stored bytes go out as they are: alone with their lane, or several in one `batch` (protocol, section 2). */
function frameOf({ lane, messages, body }: BatchCut): Buffer {
  return messages === 1
    ? Buffer.concat([Buffer.from(`{"lane":"${lane}",`), body.subarray(1)])
    : Buffer.concat([Buffer.from(`{"type":"batch","lane":"${lane}","messages":[`), body, Buffer.from(']}')]);
}
