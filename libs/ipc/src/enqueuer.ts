import { randomUUID } from 'node:crypto';
import type { EnqueuedMessage } from '@bowline/messages/hub';
import { CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Channel, Outcome } from './channel.ts';
import { checkOwn, TO_HUB } from './contract.ts';
import { FRAMING_BYTES, type IpcLimits } from './limits.ts';
import { MAX_LINES } from './lines.ts';

export type NewMessage = EnqueuedMessage;

const enqueueLine = TO_HUB.requests['enqueue']?.line;
/** The hub's answer to a batch that comes behind one which it has not stored. */
const OUT_OF_ORDER = 'out-of-order';

/** What it needs of a connection. */
export type Sender = Pick<Channel, 'send'>;

/** One call of `enqueue`. */
interface Call {
  /** The messages, a line each. */
  lines: string[];
  bytes: number;
  /** See {@link EnqueueOptions}. Calls of the two kinds do not share a batch. */
  past: boolean;
  /** The caller does not wait any more; its messages may be on their way all the same. */
  givenUp: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** What the hub is asked to store; the same batch number always with the same text. */
interface Flight {
  batch: number;
  text: string;
  lines: string[];
  calls: Call[];
  /** On the present connection. */
  sent: boolean;
  /** How it ended. Those before it end first. */
  ended: Answer | undefined;
}

export interface EnqueueOptions {
  signal?: AbortSignal | undefined;
  /** Its telemetry is of the past: it goes into lane `history` while the link is up, too. */
  past?: boolean | undefined;
}

type Answer = Exclude<Outcome, { kind: 'unanswered' }>;

/** Calls that wait together go as one batch up to this size, bytes: with its seqs it fits into one frame of the link. */
const MERGE_BYTES = 56 * 1024;

/** Batches under way at a time: one is looked into while the other is stored. */
const MOST_FLIGHTS = 2;

/** A hub that has not answered by then is taken for hung: the connection is made anew. Twice the store's commit deadline. */
const DEADLINE_MS = 60_000;

/**
 * Durable hand-over: a call ends only when the hub has its messages on disk, whatever happens to the hub meanwhile.
 *
 * Two batches are under way at a time; what is called meanwhile gathers into the next one (as the store gathers callers
 * into a commit). The second says behind which batch it comes, and is stored only if that one was: so what is stored of
 * a producer is an unbroken row, and after lost answers both are sent again under their numbers, and the hub tells by the
 * highest one what it has. Without that, a refusal that got lost followed by a success would look like a duplicate: a
 * silent loss. A batch of several calls that is refused is sent again in halves, down to those that are to blame, so each
 * call gets the answer that is its own.
 */
export class Enqueuer {
  /** Names this life of the process. */
  readonly producer = randomUUID();
  readonly #limits: IpcLimits;
  /** Largest call, and largest batch of several calls, in bytes of messages. */
  readonly #callBytes: number;
  readonly #mergeBytes: number;
  /** Most calls in a batch: so few of all that may wait that one more is made while the others are stored. */
  readonly #mergeCalls: number;
  #waiting: Call[] = [];
  /** Bytes of all calls that have not ended. */
  #bytes = 0;
  #calls = 0;
  #lastBatch = 0;
  /** Oldest first. */
  #flights: Flight[] = [];
  #channel: Sender | undefined;
  /** That many of the first waiting calls were refused together: some of them will be again. */
  #suspects = 0;
  /** Most suspects that go together: halved by a refusal, doubled by a success. */
  #suspectsAtOnce = 1;
  #closed = false;
  /** Nothing is sent before the next turn of the event loop. */
  #gathering = false;
  readonly #onHung: () => void;

  /** @param onHung the hub does not answer: connect anew. */
  constructor(limits: IpcLimits, onHung: () => void) {
    this.#limits = limits;
    this.#callBytes = limits.frameBytes - 2 * FRAMING_BYTES;
    this.#mergeBytes = Math.min(MERGE_BYTES, this.#callBytes);
    this.#mergeCalls = Math.max(1, Math.floor(limits.waitingCalls / (MOST_FLIGHTS + 1)));
    this.#onHung = onHung;
  }

  /**
   * Resolves when all messages are durable at the hub. While the hub is away it waits.
   *
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large`; TransientError `window-full`: too many
   *   calls wait already; CancelledError `cancelled` (a batch that was sent may be stored all the same); the hub's refusal,
   *   which means that nothing of this call was stored.
   */
  enqueue(messages: readonly NewMessage[], { signal, past = false }: EnqueueOptions = {}): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const lines = messages.map(lineOf);
      const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
      this.#mustFit(bytes, lines.length);
      if (this.#closed) throw closed();
      if (signal?.aborted) throw cancelled(signal);
      const call: Call = { lines, bytes, past, givenUp: false, resolve, reject };
      if (signal !== undefined) this.#followSignal(call, signal);
      this.#calls += 1;
      this.#bytes += bytes;
      this.#waiting.push(call);
      // With a batch under way, the next one takes in all that is called in this turn.
      if (this.#flights.length > 0) this.#gather();
      else this.pump();
    });
  }

  /** Connected and registered: goes on with the batches that were under way. */
  attach(channel: Sender): void {
    this.#channel = channel;
    for (const flight of this.#flights) flight.sent = false;
    this.pump();
  }

  detach(): void {
    this.#channel = undefined;
  }

  /** Fails every call that has not ended. */
  close(): void {
    this.#closed = true;
    const calls = [...this.#flights.flatMap((flight) => flight.calls), ...this.#waiting];
    this.#flights = [];
    this.#waiting = [];
    for (const call of calls) this.#end(call, closed());
  }

  /** Sends what can be sent. Also called when the window has room again. */
  pump(): void {
    // What fills a batch has gathered enough.
    if (this.#gathering && this.#waiting.length < this.#mergeCalls) return;
    for (let flight = this.#next(); flight !== undefined; flight = this.#next()) {
      if (!this.#send(flight)) return;
    }
  }

  /** What is to be sent next. */
  #next(): Flight | undefined {
    if (this.#channel === undefined) return undefined;
    const unsent = this.#flights.find(({ sent, ended }) => !sent && ended === undefined);
    if (unsent !== undefined) return unsent;
    // Behind one that is refused none is stored; and suspects go one batch after the other.
    const most =
      this.#suspects > 0 || this.#flights.some(({ ended }) => ended !== undefined) ? 1 : MOST_FLIGHTS;
    if (this.#flights.length >= most) return undefined;
    const flight = this.#newFlight();
    if (flight !== undefined) this.#flights.push(flight);
    return flight;
  }

  /** False if there was no room, or the connection is just gone: `pump` is called again on room, `attach` on the next one. */
  #send(flight: Flight): boolean {
    const ended = (outcome: Outcome) => this.#settled(flight, outcome);
    // Before it is sent: what is written at once may make room, of which `pump` is told from within.
    flight.sent = true;
    try {
      this.#channel?.send('enqueue', flight.text, DEADLINE_MS, ended, flight.lines);
      return true;
    } catch (error) {
      flight.sent = false;
      if (error instanceof TransientError) return false;
      throw error;
    }
  }

  #newFlight(): Flight | undefined {
    const most = this.#suspects > 0 ? Math.min(this.#suspects, this.#suspectsAtOnce) : this.#mergeCalls;
    const calls: Call[] = [];
    let bytes = 0;
    let count = 0;
    for (const call of this.#waiting) {
      const fits =
        bytes + call.bytes <= this.#mergeBytes &&
        count + call.lines.length <= MAX_LINES &&
        call.past === calls[0]?.past &&
        calls.length < most;
      if (calls.length > 0 && !fits) break;
      calls.push(call);
      bytes += call.bytes;
      count += call.lines.length;
    }
    if (calls.length === 0) return undefined;
    this.#suspects = Math.max(0, this.#suspects - calls.length);
    this.#waiting.splice(0, calls.length);
    const batch = (this.#lastBatch += 1);
    const after = this.#flights.at(-1)?.batch;
    return {
      batch,
      calls,
      text: JSON.stringify({
        producer: this.producer,
        batch,
        after,
        ...(calls[0]?.past === true ? { past: true } : {}),
      }),
      lines: calls.flatMap(({ lines }) => lines),
      sent: false,
      ended: undefined,
    };
  }

  #settled(flight: Flight, outcome: Outcome): void {
    if (!this.#flights.includes(flight)) return;
    if (outcome.kind === 'unanswered') {
      // Kept as it is for the next connection.
      if (outcome.error.code === 'deadline') this.#onHung();
      return;
    }
    flight.ended = outcome;
    const answered: Call[] = [];
    while (this.#flights[0]?.ended?.kind === 'answered')
      answered.push(...(this.#flights.shift()?.calls ?? []));
    if (answered.length > 0) {
      this.#suspectsAtOnce = Math.min(this.#mergeCalls, 2 * this.#suspectsAtOnce);
    }
    // What fills a batch goes before those who were answered call again, so that the hub has work meanwhile.
    if (this.#waiting.length >= this.#mergeCalls) this.pump();
    for (const call of answered) this.#end(call);
    if (this.#flights.every(({ ended }) => ended !== undefined)) this.#takeBack(this.#flights.splice(0));
    this.#gather();
  }

  /** What was refused, in its order, and what was refused only because it came behind that. */
  #takeBack(flights: readonly Flight[]): void {
    const again: Call[] = [];
    for (const { calls, ended } of flights) {
      const error = ended?.kind === 'refused' ? ended.error : undefined;
      if (error?.code === OUT_OF_ORDER) again.push(...calls);
      else if (calls.length === 1) for (const call of calls) this.#end(call, error);
      else {
        for (const call of calls) if (call.givenUp) this.#end(call, error);
        again.push(...calls.filter(({ givenUp }) => !givenUp));
        this.#suspects += again.length;
        this.#suspectsAtOnce = Math.max(1, Math.floor(calls.length / 2));
      }
    }
    this.#waiting.unshift(...again);
  }

  /**
   * Those who were just answered are about to call again, one after the other: the first must not go alone and keep all
   * others waiting for its commit.
   */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.pump();
    });
  }

  #end(call: Call, error?: Error): void {
    this.#calls -= 1;
    this.#bytes -= call.bytes;
    if (error === undefined) call.resolve();
    else call.reject(error);
  }

  #followSignal(call: Call, signal: AbortSignal): void {
    const { resolve, reject } = call;
    const onAbort = () => {
      const index = this.#waiting.indexOf(call);
      call.givenUp = true;
      if (index === -1) return reject(cancelled(signal));
      this.#waiting.splice(index, 1);
      if (index < this.#suspects) this.#suspects -= 1;
      this.#end(call, cancelled(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    call.resolve = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    call.reject = (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(error);
    };
  }

  #mustFit(bytes: number, lines: number): void {
    const { waitingBytes, waitingCalls } = this.#limits;
    if (bytes > this.#callBytes || lines > MAX_LINES) {
      throw new RejectedError(
        'message-too-large',
        `${lines} messages of ${bytes} bytes are more than a call takes (${MAX_LINES}, ${this.#callBytes}): split them`,
      );
    }
    if (this.#calls > 0 && (this.#calls >= waitingCalls || this.#bytes + bytes > waitingBytes)) {
      throw new TransientError(
        'window-full',
        `${this.#calls} calls (${this.#bytes} bytes) wait for the hub already`,
      );
    }
  }
}

const closed = () => new CancelledError('cancelled', 'the client of the hub was closed');
const cancelled = (signal: AbortSignal) =>
  new CancelledError('cancelled', 'the caller gave the hand-over up', { cause: signal.reason });

/** The line of a message: its members in the order that the store keeps them in. */
function lineOf(message: NewMessage): string {
  checkOwn(enqueueLine, 'enqueue', message);
  const { id, type, sentAt, payload } = message;
  // Checked: neither needs an escape.
  return `{"id":"${id}","type":"${type}","sentAt":${sentAt},"payload":${JSON.stringify(payload)}}`;
}
