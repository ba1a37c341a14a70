import type { DurableQueue } from '@bowline/durable-queue';
import type { Lane } from '@bowline/messages';
import { InternalError } from '@bowline/runtime/errors';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import { AckTracker, isLane } from '../ack-tracker.ts';
import type { Suspect, SuspectFrame } from '../connection/poison.ts';
import type { LinkLimits } from '../connection/resume.ts';
import type { Counters } from '../counters.ts';
import type { EventReporter } from '../event-reporter.ts';
import { OutgoingQueue } from '../outgoing-queue.ts';
import { ReplayPace } from './replay-offline.ts';
import { withoutResult } from './send-ack.ts';

export interface SenderPorts {
  queue: DurableQueue;
  clock: Clock;
  log: Logger;
  counters: Counters;
  events: EventReporter;
  /** One text frame onto the socket. @param taken called when the kernel has taken it. */
  send(data: Buffer, taken: () => void): void;
  /** Bytes handed to the socket that the kernel has not taken yet. */
  unsentBytes(): number;
  /** What the server has receipted of these lanes is deleted. */
  deleted(lanes: readonly Lane[]): Promise<void>;
}

/**
 * With as much on its way into the kernel nothing more is read out of the store, bytes: memory stays flat while a slow link
 * drains, and what is urgent waits behind little.
 */
const MOST_UNSENT_BYTES = 256 * 1024;

/**
 * Deletions wait so long for more, milliseconds: nobody waits for them, but an order's next state would wait for their
 * commit. What a crash leaves undeleted, the next welcome names again.
 */
const DELETE_AFTER_MS = 20;

/** A message that is too large and that the store did not take as a dead letter holds up its lane for so long, milliseconds. */
const HOLD_MS = 5000;

/**
 * The uplink of one link: sends what the window takes, deletes what is receipted. No timer re-sends on a live link; what
 * is not receipted when it ends is sent again on the next one (protocol, section 4).
 */
export class Sender {
  readonly #ports: SenderPorts;
  readonly #limits: LinkLimits;
  readonly #acks: AckTracker;
  readonly #outgoing: OutgoingQueue;
  #timer: Timer | undefined;
  /** Receipted, not deleted yet. */
  #receipted: Partial<Record<Lane, number>> = {};
  #deleteTimer: Timer | undefined;
  #awaitsSocket = false;
  /** Lanes of which it was reported that the server receipts more than was sent: once a link. */
  readonly #reported = new Set<Lane>();
  #state: 'sending' | 'setting-aside' | 'stopped' = 'sending';

  /**
   * @param sentUpTo highest seq of each lane that the server has already.
   * @param perFrame most messages in one frame.
   */
  constructor(ports: SenderPorts, limits: LinkLimits, sentUpTo: Record<Lane, number>, perFrame: number) {
    this.#ports = ports;
    this.#limits = limits;
    this.#acks = new AckTracker(sentUpTo);
    const pace = new ReplayPace(limits.replayPerSecond, ports.clock.monotonicMs());
    this.#outgoing = new OutgoingQueue(ports.queue, this.#acks, limits, pace, perFrame);
  }

  /** Called whenever something new is stored or receipted. */
  pump(): void {
    const { clock, send, unsentBytes } = this.#ports;
    this.#timer?.cancel();
    while (this.#state === 'sending') {
      this.#awaitsSocket = unsentBytes() >= MOST_UNSENT_BYTES;
      if (this.#awaitsSocket) return;
      const next = this.#outgoing.next(clock.monotonicMs());
      if (next.kind === 'frame') {
        const { data, ...frame } = next.frame;
        send(data, () => this.#taken());
        this.#acks.sent({ ...frame, bytes: data.length }, clock.monotonicMs());
        continue;
      }
      if (next.kind === 'too-large') this.#tooLarge(next);
      else if (next.retryInMs !== undefined) this.#timer = clock.after(next.retryInMs, () => this.pump());
      return;
    }
  }

  #taken(): void {
    if (this.#awaitsSocket && this.#ports.unsentBytes() <= MOST_UNSENT_BYTES / 2) this.pump();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#timer?.cancel();
    if (this.#deleteTimer !== undefined) this.#deleteReceipted();
  }

  /** How long something has been in flight without any progress, milliseconds. */
  stalledMs(): number {
    return this.#acks.stalledMs(this.#ports.clock.monotonicMs());
  }

  /** Takes cumulative receipts, by lane. */
  async receipted(lanes: Record<string, number | undefined>): Promise<void> {
    const { clock, counters, log, events } = this.#ports;
    for (const [lane, seq] of Object.entries(lanes)) {
      if (!isLane(lane) || seq === undefined) continue;
      const verdict = this.#acks.receipted(lane, seq, clock.monotonicMs());
      if (verdict === 'beyond') {
        counters.add('uplink.receipt-beyond');
        log.error({ lane, seq, sentUpTo: this.#acks.sentUpTo(lane) }, 'receipt above what was sent: ignored');
        if (this.#reported.has(lane)) continue; // the report itself may be receipted wrongly
        this.#reported.add(lane);
        await events.report('receipt-beyond', 'error', { lane, seq });
      } else if (verdict === 'progress' && this.#state !== 'stopped') {
        this.#receipted[lane] = seq;
        this.#deleteTimer ??= clock.after(DELETE_AFTER_MS, () => this.#deleteReceipted());
      }
    }
    this.pump();
  }

  /** What of this link the server may have choked on: the message that it named, or else all that is in flight. */
  suspects(namedId: string | undefined): readonly SuspectFrame[] {
    const frames = this.#acks.unreceipted();
    const named = frames
      .flatMap(({ lane, fromSeq, messages }) =>
        this.#ports.queue.read(lane, fromSeq - 1, { messages, bytes: Infinity }),
      )
      .find(({ id }) => id === namedId);
    return named === undefined ? frames : [{ lane: named.lane, fromSeq: named.seq, toSeq: named.seq }];
  }

  #deleteReceipted(): void {
    const { queue, events, deleted } = this.#ports;
    const receipts = this.#receipted;
    this.#receipted = {};
    this.#deleteTimer?.cancel();
    this.#deleteTimer = undefined;
    events
      .unlessRefused(queue.commit({ receipts }), 'receipts')
      .then(() => deleted(Object.keys(receipts).filter(isLane)))
      .catch((cause: unknown) => {
        throw new InternalError('link-failed', 'deleting what was receipted failed', { cause });
      });
  }

  /**
   * Above the server's largest frame (protocol, section 3). Nothing else is sent until that is on disk; if the store has no room
   * for it, its lane stands still for a while.
   */
  #tooLarge({ lane, seq, bytes }: Suspect & { bytes: number }): void {
    const detail = `${bytes} bytes; the server takes frames of ${this.#limits.frameBytes} bytes`;
    this.#state = 'setting-aside';
    setAside(this.#ports, { lane, seq }, 'too-large', detail).then(
      (done) => {
        if (this.#state === 'stopped') return;
        this.#state = 'sending';
        if (done) this.#acks.skipped(lane, seq);
        else this.#outgoing.hold(lane, this.#ports.clock.monotonicMs() + HOLD_MS);
        this.pump();
      },
      (cause: unknown) => {
        throw new InternalError('link-failed', 'setting a message aside failed', { cause });
      },
    );
  }
}

/**
 * A message that can never be delivered: a dead letter with a `gap`, where an operator sees it. The end of an order is told
 * all the same, without its result.
 *
 * @returns whether it is set aside: the store may have no room for it.
 */
export async function setAside(
  {
    queue,
    clock,
    counters,
    log,
    events,
  }: Pick<SenderPorts, 'queue' | 'clock' | 'counters' | 'log' | 'events'>,
  { lane, seq }: Suspect,
  reason: 'too-large' | 'corrupt',
  detail: string,
): Promise<boolean> {
  const [message] = queue.read(lane, seq - 1, { messages: 1, bytes: Infinity });
  const bare = message?.seq === seq ? withoutResult(message, clock.wallMs()) : undefined;
  const done = await events.unlessRefused(
    queue.commit({
      setAside: [{ lane, seq, reason, detail }],
      ...(bare === undefined ? {} : { enqueue: [{ lane, messages: [bare] }] }),
    }),
    'set aside',
  );
  if (!done) return false;
  counters.add(`uplink.${reason}`);
  log.error({ lane, seq, reason, detail }, 'message set aside as a dead letter');
  return true;
}
