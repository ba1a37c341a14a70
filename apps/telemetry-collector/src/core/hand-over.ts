import type { Gap, Sample } from '@bowline/messages';
import { backoffMs, mayPass, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { BowlineError, CancelledError } from '@bowline/runtime/errors';
import { commitInMs, type CommitLimits } from './commit-due.ts';
import { SampleBuffer, type Portion } from './sample-buffer.ts';

/** A message for the gateway's durable queue. */
export type OutgoingMessage = { id: string; sentAt: number } & (
  { type: 'telemetry'; payload: { samples: Sample[] } } | { type: 'gap'; payload: Gap }
);

/** Of a portion: the gateway's; back in the buffer for now, or for smaller ones; given up. */
type Outcome = 'accepted' | 'later' | 'narrowed' | 'refused';

export interface HandOverOptions {
  buffer: SampleBuffer;
  /** Resolves once all of it is on the gateway's disk, however long the gateway is away; rejects if it is refused. */
  enqueue(messages: OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** A UUIDv7. */
  newId(): string;
  clock: Clock;
  log: Pick<Logger, 'debug' | 'warn' | 'error'>;
  limits: CommitLimits;
  /** A copy on the disk, of what waits while the gateway does not take it: for the next life, should this one be cut off. */
  spare: {
    /** Instead of the copy that is there. */
    keep(messages: readonly OutgoingMessage[]): void;
    remove(): void;
  };
  /** In [0, 1). */
  random(): number;
}

/** A gateway that is well takes its time, too, milliseconds. */
const SPARE_AFTER_MS = 1000;

/**
 * Moves samples from memory to the gateway, one message at a time, in order. While one is under way further samples gather
 * in the buffer. A portion is out of the buffer only until it is accepted or back. What the gateway does not take for longer than
 * a sample may wait is copied to the disk, and again each time that twice as much time has passed.
 */
export class HandOver {
  readonly #options: HandOverOptions;
  #limits: CommitLimits;
  readonly #giveUp = new AbortController();
  #first = true;
  #failures = 0;
  #notBeforeMs = 0;
  /** Most samples of the next message, after one was refused for good: which of them is wrong is found by halves. */
  #narrowed = Infinity;
  #timer: Timer | undefined;
  #underWay: Promise<void> | undefined;
  /** There is a copy of what came in up to then, monotonic milliseconds. */
  #sparedUpToMs: number | undefined;
  #stopping = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
    this.#limits = options.limits;
  }

  reconfigure(limits: CommitLimits): void {
    this.#limits = limits;
    this.noticed();
  }

  /** Samples came in: looks when they are to go. */
  noticed(): void {
    if (this.#stopping || this.#underWay !== undefined) return;
    const { buffer, clock } = this.#options;
    this.#timer?.cancel();
    const nowMs = clock.monotonicMs();
    const inMs = commitInMs(buffer, this.#limits, { nowMs, first: this.#first });
    if (inMs === undefined) return;
    this.#timer = clock.after(Math.max(inMs, this.#notBeforeMs - nowMs), () => this.#begin());
  }

  /**
   * Hands these over at once, beside what waits in the buffer; resolves when all of them are on the gateway's disk.
   *
   * @throws as `enqueue` does; some of them may be stored all the same.
   */
  async now(samples: readonly Sample[], signal: AbortSignal): Promise<void> {
    const { clock, enqueue } = this.#options;
    const whole = new SampleBuffer({ samples: Infinity, bytes: Infinity });
    whole.add(samples, clock.monotonicMs());
    const batches: OutgoingMessage[][] = [];
    while (!whole.isEmpty) batches.push(this.#messages(this.#portionOf(whole)));
    await Promise.all(batches.map((messages) => enqueue(messages, signal)));
  }

  /** Hands everything over now, until `signal`. Returns how many samples could not be: see {@link leftOver}. */
  async stop(signal: AbortSignal): Promise<number> {
    const { buffer } = this.#options;
    this.#stopping = true;
    this.#timer?.cancel();
    const onAbort = () => this.#giveUp.abort(new CancelledError('stopping', 'the collector is stopping'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    await this.#underWay;
    while (!buffer.isEmpty && !signal.aborted) {
      if ((await this.#next()) === 'later') break;
    }
    signal.removeEventListener('abort', onAbort);
    return buffer.samples;
  }

  /** What a stop could not hand over, out of the buffer: for the next life. */
  leftOver(): OutgoingMessage[] {
    return this.#all(this.#options.buffer);
  }

  #begin(): void {
    this.#underWay = this.#next().then(() => {
      this.#underWay = undefined;
      this.noticed();
    });
  }

  /** One portion, and what became of it. */
  async #next(): Promise<Outcome> {
    const { buffer, enqueue, log } = this.#options;
    const portion = this.#portionOf(buffer);
    const messages = this.#messages(portion);
    const spare = this.#spareLater(portion);
    try {
      await enqueue(messages, this.#giveUp.signal);
      this.#first = false;
      this.#failures = 0;
      this.#narrowed *= 2;
      const ids = messages.map(({ id }) => id);
      log.debug({ ids, samples: portion.entries.length, waiting: buffer.samples }, 'samples handed over');
      return 'accepted';
    } catch (error) {
      return this.#failed(portion, error);
    } finally {
      spare.cancel();
      this.#forgetSpare();
    }
  }

  #spareLater(portion: Portion): { cancel(): void } {
    const { buffer, clock, spare } = this.#options;
    let inMs = Math.max(this.#limits.commitMs, SPARE_AFTER_MS);
    const copy = () => {
      const whole = new SampleBuffer({ samples: Infinity, bytes: Infinity });
      const rest = buffer.take({ samples: Infinity, bytes: Infinity });
      buffer.restore(rest);
      whole.restore(rest);
      whole.restore(portion);
      this.#sparedUpToMs = clock.monotonicMs();
      spare.keep(this.#all(whole));
      inMs *= 2;
      timer = clock.after(inMs, copy);
    };
    let timer = clock.after(inMs, copy);
    return { cancel: () => timer.cancel() };
  }

  /** Once nothing waits that is in the copy. */
  #forgetSpare(): void {
    const { buffer, spare } = this.#options;
    if (this.#sparedUpToMs === undefined || (buffer.oldestSinceMs ?? Infinity) <= this.#sparedUpToMs) return;
    this.#sparedUpToMs = undefined;
    spare.remove();
  }

  #failed(portion: Portion, error: unknown): Outcome {
    const { buffer, clock, log, random } = this.#options;
    if (!(error instanceof BowlineError)) throw error;
    const { code } = error;
    if (error instanceof CancelledError) {
      buffer.restore(portion);
      return 'later';
    }
    if (!mayPass(error) && portion.entries.length > 1) {
      // One sample that is wrong must not cost the others.
      this.#narrowed = Math.ceil(portion.entries.length / 2);
      buffer.restore(portion);
      return 'narrowed';
    }
    const delayMs = backoffMs(this.#failures, random(), { minMs: 1000, capMs: 60_000 });
    this.#failures += 1;
    this.#notBeforeMs = clock.monotonicMs() + delayMs;
    const fields = { code, samples: portion.entries.length, delayMs: Math.round(delayMs) };
    if (mayPass(error)) {
      buffer.restore(portion);
      log.warn(fields, `samples refused for now: ${error.message}`);
      return 'later';
    }
    buffer.discard(portion);
    this.#narrowed *= 2;
    log.error(fields, `samples refused for good: ${error.message}`);
    return 'refused';
  }

  #portionOf(buffer: SampleBuffer): Portion {
    const { batchSamples, batchBytes } = this.#limits;
    return buffer.take({ samples: Math.min(batchSamples, this.#narrowed), bytes: batchBytes });
  }

  /** All of it, in messages; then it is empty. */
  #all(buffer: SampleBuffer): OutgoingMessage[] {
    const messages: OutgoingMessage[] = [];
    while (!buffer.isEmpty) messages.push(...this.#messages(this.#portionOf(buffer)));
    return messages;
  }

  #messages({ entries, thinned }: Portion): OutgoingMessage[] {
    const { newId, clock } = this.#options;
    const sentAt = Math.round(clock.wallMs());
    const samples = entries.map(({ sample }) => sample);
    return [
      ...(samples.length > 0
        ? [{ id: newId(), sentAt, type: 'telemetry' as const, payload: { samples } }]
        : []),
      ...thinned.map((each) => ({
        id: newId(),
        sentAt,
        type: 'gap' as const,
        payload: { ...each, lane: 'telemetry' as const, reason: 'thinned' as const },
      })),
    ];
  }
}
