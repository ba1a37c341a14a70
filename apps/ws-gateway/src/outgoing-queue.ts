import type { DurableQueue, StoredMessage } from '@bowline/durable-queue';
import { UPLINK_LANES, type Lane } from '@bowline/messages';
import type { AckTracker } from './ack-tracker.ts';
import type { LinkLimits } from './connection/resume.ts';
import type { ReplayPace } from './sender/replay-offline.ts';

/** A frame ready for the socket. */
export interface OutgoingFrame {
  lane: Lane;
  text: string;
  toSeq: number;
  messages: number;
  /** UTF-8 length of `text`. */
  bytes: number;
}

export type NextFrame =
  | { kind: 'frame'; frame: OutgoingFrame }
  /** Above the server's largest frame: it can never be sent. */
  | { kind: 'too-large'; message: StoredMessage }
  | { kind: 'nothing'; retryInMs?: number };

/** Room for `{"type":"batch","lane":"…","messages":[` and its end, or for the lane in a single frame. */
const FRAME_OVERHEAD_BYTES = 64;
/** Share of the window that only these lanes may use (protocol, section 4). */
const RESERVED_SHARE = 1 / 4;
const RESERVED_LANES: readonly Lane[] = ['results', 'events'];

/**
 * What to send next: the highest lane that holds something new and has room in the window. Reads from the durable queue
 * only what it is about to send, so memory does not grow with the backlog.
 */
export class OutgoingQueue {
  readonly #queue: Pick<DurableQueue, 'read'>;
  readonly #acks: AckTracker;
  readonly #limits: LinkLimits;
  readonly #pace: ReplayPace;

  constructor(queue: Pick<DurableQueue, 'read'>, acks: AckTracker, limits: LinkLimits, pace: ReplayPace) {
    this.#queue = queue;
    this.#acks = acks;
    this.#limits = limits;
    this.#pace = pace;
  }

  next(monotonicMs: number): NextFrame {
    let retryInMs: number | undefined;
    for (const lane of UPLINK_LANES) {
      const room = this.#room(lane);
      if (room === undefined) continue;
      const paced = lane === 'history' ? this.#pace.allowed(monotonicMs) : Infinity;
      if (paced < 1) {
        retryInMs = this.#pace.nextInMs(monotonicMs);
        continue;
      }
      const messages = this.#queue.read(lane, this.#acks.sentUpTo(lane), {
        messages: Math.min(room.messages, paced),
        bytes: Math.min(room.bytes, this.#limits.frameBytes) - FRAME_OVERHEAD_BYTES,
      });
      const [first] = messages;
      if (first === undefined) continue;
      if (first.bytes + FRAME_OVERHEAD_BYTES > this.#limits.frameBytes)
        return { kind: 'too-large', message: first };
      if (first.bytes + FRAME_OVERHEAD_BYTES > room.bytes && this.#acks.inFlight().messages > 0) continue;
      if (lane === 'history') this.#pace.taken(messages.length);
      return { kind: 'frame', frame: frameOf(lane, messages) };
    }
    return { kind: 'nothing', ...(retryInMs === undefined ? {} : { retryInMs }) };
  }

  /** What the window still takes from this lane. One message may always be in flight. */
  #room(lane: Lane): { messages: number; bytes: number } | undefined {
    const { inflightMessages, inflightBytes } = this.#limits;
    const inFlight = this.#acks.inFlight();
    const share = RESERVED_LANES.includes(lane) ? 0 : RESERVED_SHARE;
    const messages = inflightMessages - Math.ceil(inflightMessages * share) - inFlight.messages;
    const bytes = inflightBytes - Math.ceil(inflightBytes * share) - inFlight.bytes;
    if (messages >= 1 && bytes > FRAME_OVERHEAD_BYTES) return { messages, bytes };
    return inFlight.messages === 0 ? { messages: 1, bytes: this.#limits.frameBytes } : undefined;
  }
}

/** The stored text goes out as it is: alone with its lane, or several in one `batch` (protocol, section 2). */
function frameOf(lane: Lane, messages: readonly StoredMessage[]): OutgoingFrame {
  const [first] = messages;
  const runs = consecutive(messages);
  const text =
    runs.length === 1 && first !== undefined
      ? `{"lane":"${lane}",${first.json.slice(1)}`
      : `{"type":"batch","lane":"${lane}","messages":[${runs.map(({ json }) => json).join(',')}]}`;
  return {
    lane,
    text,
    toSeq: runs.at(-1)?.seq ?? 0,
    messages: runs.length,
    bytes: Buffer.byteLength(text),
  };
}

/** A batch holds consecutive seqs: it ends before the first hole. */
function consecutive(messages: readonly StoredMessage[]): readonly StoredMessage[] {
  const hole = messages.findIndex(
    ({ seq }, index) => index > 0 && seq !== (messages[index - 1]?.seq ?? 0) + 1,
  );
  return hole < 0 ? messages : messages.slice(0, hole);
}
