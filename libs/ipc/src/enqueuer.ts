import { randomUUID } from 'node:crypto';
import type { HubRequests } from '@bowline/messages/hub';
import { CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Channel, Outcome } from './channel.ts';
import { checkOwn, entryOf, TO_HUB } from './contract.ts';
import { FRAMING_BYTES, type IpcLimits } from './limits.ts';

export type NewMessage = HubRequests['enqueue']['request']['messages'][number];

/** What it needs of a connection. */
export type Sender = Pick<Channel, 'send'>;

/** One call of `enqueue`. */
interface Call {
  /** The messages as JSON, without the brackets around them. */
  text: string;
  bytes: number;
  count: number;
  /** The caller does not wait any more; its messages may be on their way all the same. */
  givenUp: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** What the hub is asked to store; the same batch number always with the same text. */
interface Flight {
  batch: number;
  text: string;
  calls: Call[];
}

/** Most messages in a batch, by its schema. */
const MAX_MESSAGES = 10_000;

/** Calls that wait together go as one batch up to this size, bytes. */
const MERGE_BYTES = 1024 * 1024;

/** A hub that has not answered by then is taken for hung: the connection is made anew. Twice the store's commit deadline. */
const DEADLINE_MS = 60_000;

/**
 * Durable hand-over: a call ends only when the hub has its messages on disk, whatever happens to the hub meanwhile.
 *
 * One batch is under way at a time; what is called meanwhile gathers into the next one (as the store gathers callers into
 * a commit). So after a lost answer there is exactly one batch of which nobody knows whether it was stored; it is sent
 * again under its number, and the hub tells by `producer` and `batch`. With several under way, a refusal that got lost
 * followed by a success would look like a duplicate: a silent loss. A batch of several calls that is refused is sent again
 * call by call, so each gets an answer of its own.
 */
export class Enqueuer {
  /** Names this life of the process. */
  readonly producer = randomUUID();
  readonly #limits: IpcLimits;
  /** Largest call, and largest batch of several calls, in bytes of messages. */
  readonly #callBytes: number;
  readonly #mergeBytes: number;
  /** Most calls in a batch: half of all that may wait, so that one half is made while the other is stored. */
  readonly #mergeCalls: number;
  #waiting: Call[] = [];
  /** Bytes of all calls that have not ended. */
  #bytes = 0;
  #calls = 0;
  #lastBatch = 0;
  #flight: Flight | undefined;
  #sent = false;
  #channel: Sender | undefined;
  /** That many of the first waiting calls go alone. */
  #alone = 0;
  #closed = false;
  /** Nothing is sent before the next turn of the event loop. */
  #gathering = false;
  readonly #onHung: () => void;

  /** @param onHung the hub does not answer: connect anew. */
  constructor(limits: IpcLimits, onHung: () => void) {
    this.#limits = limits;
    this.#callBytes = limits.frameBytes - 2 * FRAMING_BYTES;
    this.#mergeBytes = Math.min(MERGE_BYTES, this.#callBytes);
    this.#mergeCalls = Math.max(1, Math.floor(limits.waitingCalls / 2));
    this.#onHung = onHung;
  }

  /**
   * Resolves when all messages are durable at the hub. While the hub is away it waits.
   *
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large`; TransientError `window-full`: too many
   *   calls wait already; CancelledError `cancelled` (a batch that was sent may be stored all the same); the hub's refusal,
   *   which means that nothing of this call was stored.
   */
  enqueue(messages: readonly NewMessage[], signal?: AbortSignal): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const text = this.#encode(messages);
      const bytes = Buffer.byteLength(text);
      this.#mustFit(bytes);
      if (this.#closed) throw closed();
      if (signal?.aborted) throw cancelled(signal);
      const call: Call = { text, bytes, count: messages.length, givenUp: false, resolve, reject };
      if (signal !== undefined) this.#followSignal(call, signal);
      this.#calls += 1;
      this.#bytes += bytes;
      this.#waiting.push(call);
      this.pump();
    });
  }

  /** Connected and registered: goes on with the batch that was under way. */
  attach(channel: Sender): void {
    this.#channel = channel;
    this.#sent = false;
    this.pump();
  }

  detach(): void {
    this.#channel = undefined;
  }

  /** Fails every call that has not ended. */
  close(): void {
    this.#closed = true;
    const calls = [...(this.#flight?.calls ?? []), ...this.#waiting];
    this.#flight = undefined;
    this.#waiting = [];
    for (const call of calls) this.#end(call, closed());
  }

  /** Sends what can be sent. Also called when the window has room again. */
  pump(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#gathering) return;
    this.#flight ??= this.#nextFlight();
    const flight = this.#flight;
    if (flight === undefined || this.#sent) return;
    try {
      channel.send('enqueue', flight.text, DEADLINE_MS, (outcome) => this.#settled(flight, outcome));
      this.#sent = true;
    } catch (error) {
      // No room, or just gone: `pump` is called again on room, `attach` on the next connection.
      if (!(error instanceof TransientError)) throw error;
    }
  }

  #nextFlight(): Flight | undefined {
    const calls: Call[] = [];
    let bytes = 0;
    let count = 0;
    for (const call of this.#waiting) {
      const fits =
        bytes + call.bytes <= this.#mergeBytes &&
        count + call.count <= MAX_MESSAGES &&
        calls.length < this.#mergeCalls;
      if (calls.length > 0 && (!fits || this.#alone > 0)) break;
      calls.push(call);
      bytes += call.bytes;
      count += call.count;
    }
    if (calls.length === 0) return undefined;
    if (this.#alone > 0) this.#alone -= 1;
    this.#waiting.splice(0, calls.length);
    const batch = (this.#lastBatch += 1);
    const messages = calls.map(({ text }) => text).join(',');
    return {
      batch,
      calls,
      text: `{"producer":"${this.producer}","batch":${batch},"messages":[${messages}]}`,
    };
  }

  #settled(flight: Flight, outcome: Outcome): void {
    if (this.#flight !== flight) return;
    if (outcome.kind === 'unanswered') {
      // Kept as it is for the next connection.
      if (outcome.error.code === 'deadline') this.#onHung();
      return;
    }
    this.#flight = undefined;
    this.#sent = false;
    if (outcome.kind === 'answered') {
      for (const call of flight.calls) this.#end(call);
    } else if (flight.calls.length === 1) {
      for (const call of flight.calls) this.#end(call, outcome.error);
    } else {
      const again = flight.calls.filter(({ givenUp }) => !givenUp);
      for (const call of flight.calls) if (call.givenUp) this.#end(call, outcome.error);
      this.#waiting.unshift(...again);
      this.#alone = again.length;
    }
    if (this.#waiting.length === 0) this.#gather();
    this.pump();
  }

  /**
   * Those who were just answered are about to call again, one after the other: the first must not go alone and keep all
   * others waiting for its commit.
   */
  #gather(): void {
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
      if (index < this.#alone) this.#alone -= 1;
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

  #encode(messages: readonly NewMessage[]): string {
    const request = { producer: this.producer, batch: 1, messages };
    checkOwn(entryOf(TO_HUB.requests, 'enqueue')?.request, 'enqueue', request);
    return JSON.stringify(messages).slice(1, -1);
  }

  #mustFit(bytes: number): void {
    const { waitingBytes, waitingCalls } = this.#limits;
    if (bytes > this.#callBytes) {
      throw new RejectedError(
        'message-too-large',
        `${bytes} bytes are more than a frame takes (${this.#callBytes}): split them`,
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
