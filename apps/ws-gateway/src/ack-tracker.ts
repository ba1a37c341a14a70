import { UPLINK_LANES, type Lane } from '@bowline/messages';

export interface SentFrame {
  lane: Lane;
  /** Of its messages, which follow each other without a hole. */
  fromSeq: number;
  toSeq: number;
  messages: number;
  bytes: number;
}

/**
 * What this link has sent and the server has not yet receipted. Lives as long as the link: after a reconnect, hello and
 * welcome say anew what is missing, so no timer ever re-sends (protocol, section 4).
 */
export class AckTracker {
  /** In the order of sending. */
  #frames: SentFrame[] = [];
  readonly #sentUpTo: Record<Lane, number>;
  #messages = 0;
  #bytes = 0;
  #progressAtMs = 0;

  /** @param sentUpTo highest seq of each lane that the server has already, from the resumption. */
  constructor(sentUpTo: Record<Lane, number>) {
    this.#sentUpTo = { ...sentUpTo };
  }

  sentUpTo(lane: Lane): number {
    return this.#sentUpTo[lane];
  }

  /** Messages and frame bytes in flight over all lanes. */
  inFlight(): { messages: number; bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Frames in flight, in the order of sending. */
  unreceipted(): readonly SentFrame[] {
    return this.#frames;
  }

  sent(frame: SentFrame, monotonicMs: number): void {
    if (this.#messages === 0) this.#progressAtMs = monotonicMs;
    this.#frames.push(frame);
    this.#sentUpTo[frame.lane] = frame.toSeq;
    this.#messages += frame.messages;
    this.#bytes += frame.bytes;
  }

  /** Skips a message that will never be sent (set aside as a dead letter). */
  skipped(lane: Lane, seq: number): void {
    this.#sentUpTo[lane] = seq;
  }

  /** @returns `beyond` for a receipt above what was sent: ignored, and an alarm (protocol, section 4). */
  receipted(lane: Lane, seq: number, monotonicMs: number): 'progress' | 'nothing' | 'beyond' {
    if (seq > this.#sentUpTo[lane]) return 'beyond';
    const before = this.#messages;
    this.#frames = this.#frames.flatMap((frame) => {
      if (frame.lane !== lane || frame.fromSeq > seq) return [frame];
      const left = leftOf(frame, seq);
      this.#messages -= frame.messages - (left?.messages ?? 0);
      this.#bytes -= frame.bytes - (left?.bytes ?? 0);
      return left === undefined ? [] : [left];
    });
    if (this.#messages === before) return 'nothing';
    this.#progressAtMs = monotonicMs;
    return 'progress';
  }

  /** How long something has been in flight without any progress, milliseconds; 0 if nothing is. */
  stalledMs(monotonicMs: number): number {
    return this.#messages === 0 ? 0 : monotonicMs - this.#progressAtMs;
  }
}

/** What of a frame is still in flight behind `seq`, since a receipt may end in the middle of a batch. */
function leftOf({ lane, toSeq, messages, bytes }: SentFrame, seq: number): SentFrame | undefined {
  if (toSeq <= seq) return undefined;
  const left = toSeq - seq;
  return { lane, fromSeq: seq + 1, toSeq, messages: left, bytes: Math.ceil((bytes * left) / messages) };
}

export const isLane = (name: string): name is Lane => (UPLINK_LANES as readonly string[]).includes(name);
