import { check, describeErrors } from '@bowline/messages/check';
import type { Clock, Timer } from '@bowline/runtime';
import {
  BowlineError,
  CancelledError,
  ContractError,
  InternalError,
  RejectedError,
  TransientError,
  fromWireError,
  toWireError,
} from '@bowline/runtime/errors';
import { checkOwn, entryOf, type Validator, type Vocabulary } from './contract.ts';
import type { IpcCounters } from './counters.ts';
import type { Frame } from './frame-parser.ts';
import { answerWindowBytes, FRAMING_BYTES, type IpcLimits } from './limits.ts';
import { encodeError, encodeNotification, encodeRequest, encodeResponse, readMessage } from './message.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { WorkMeter } from './work-meter.ts';
import type { WriteQueue } from './write-queue.ts';

/** How a request ended: the other side answered yes or no, or nobody knows. */
export type Outcome =
  | { kind: 'answered'; response: unknown }
  | { kind: 'refused'; error: BowlineError }
  | { kind: 'unanswered'; error: BowlineError };

export interface RequestOptions {
  /** Milliseconds until the request fails with `deadline`; default 10,000. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

export interface ChannelOptions {
  /** What we may say to the other side. */
  ours: Vocabulary;
  /** What it may say to us. */
  theirs: Vocabulary;
  writes: WriteQueue;
  limits: IpcLimits;
  clock: Clock;
  log: ThrottledLog;
  counters: IpcCounters;
  /** Answers a request that has passed its schema. What it throws goes back as `{code, message, retryable}`. */
  onRequest(name: string, body: unknown): unknown;
  /** Takes a notification that has passed its schema. */
  onNotification(name: string, body: unknown): void;
  /** Too much in work: read no further until `resume`. */
  pause(): void;
  resume(): void;
  /** The other side cannot be served any more: end the connection. */
  abort(reason: string): void;
}

interface Outstanding {
  name: string;
  validate: Validator;
  timer: Timer;
  done: (outcome: Outcome) => void;
}

const DEFAULT_DEADLINE_MS = 10_000;

/**
 * Requests and notifications over one connection: correlation, deadlines, schema checks, the errors of both sides, and
 * the bounds on what is under way. It knows nothing of sockets.
 */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #work: WorkMeter;
  readonly #outstanding = new Map<number, Outstanding>();
  #lastId = 0;
  #ended: BowlineError | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#work = new WorkMeter(options.limits, options);
  }

  /**
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large` or the other side's own;
   *   TransientError `window-full`, `deadline`, the code of {@link end}, or the other side's own; ContractError `invalid`
   *   if the answer breaks the contract; CancelledError `cancelled`.
   */
  request(name: string, body: unknown, { deadlineMs, signal }: RequestOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      checkOwn(entryOf(this.#options.ours.requests, name)?.request, name, body);
      if (signal?.aborted) throw cancelled(signal);
      const onAbort = () => forget();
      const forget = this.send(name, JSON.stringify(body), deadlineMs, (outcome) => {
        signal?.removeEventListener('abort', onAbort);
        if (outcome.kind === 'answered') resolve(outcome.response);
        else reject(signal?.aborted ? cancelled(signal) : outcome.error);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * The same for a body that is JSON text already, without a promise. `done` is called once, later.
   *
   * @returns gives the request up: `done` is called with `unanswered` and a late answer is ignored.
   * @throws TransientError `window-full` or the code of {@link end}; RejectedError `message-too-large`: nothing was sent.
   */
  send(
    name: string,
    bodyText: string,
    deadlineMs = DEFAULT_DEADLINE_MS,
    done: (outcome: Outcome) => void,
  ): () => void {
    const { clock, limits, ours, writes } = this.#options;
    if (this.#ended !== undefined) throw this.#ended;
    const validate = entryOf(ours.requests, name)?.response;
    if (validate === undefined)
      throw new InternalError('own-message-invalid', `${name} is not in the contract`);
    if (this.#outstanding.size >= limits.outstandingRequests) throw windowFull(name);
    const id = (this.#lastId += 1);
    const text = encodeRequest(id, name, bodyText);
    this.#mustFit(name, text);
    if (!writes.add(text, limits.windowBytes)) throw windowFull(name);
    const timer = clock.after(deadlineMs, () => {
      const error = new TransientError('deadline', `${name} was not answered within ${deadlineMs} ms`);
      this.#settle(id, { kind: 'unanswered', error });
    });
    this.#outstanding.set(id, { name, validate, timer, done });
    return () => {
      this.#settle(id, {
        kind: 'unanswered',
        error: new CancelledError('cancelled', `${name} was given up`),
      });
    };
  }

  /**
   * One-way. False if the other side is away or the window is full: a notification may be lost, that is its contract.
   *
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large`.
   */
  notify(name: string, body: unknown): boolean {
    checkOwn(entryOf(this.#options.ours.notifications, name), name, body);
    return this.notifyText(name, JSON.stringify(body));
  }

  /** {@link notify} for a body that is checked and JSON text already. */
  notifyText(name: string, bodyText: string): boolean {
    const { counters, limits, writes } = this.#options;
    const text = encodeNotification(name, bodyText);
    this.#mustFit(name, text);
    const taken = this.#ended === undefined && writes.add(text, limits.windowBytes);
    if (!taken) counters.droppedNotifications += 1;
    return taken;
  }

  /** A frame came in. Never throws: one bad message must not cost the others. */
  receive({ messages, bytes }: Frame): void {
    const share = bytes / messages.length;
    for (const message of messages) {
      try {
        this.#receive(message, share);
      } catch (error) {
        this.#failed({ error });
      }
    }
  }

  /** The connection is gone: whatever is outstanding fails with `error`. */
  end(error: BowlineError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const id of this.#outstanding.keys()) this.#settle(id, { kind: 'unanswered', error });
  }

  #receive(value: unknown, bytes: number): void {
    const message = readMessage(value);
    if (message === undefined) return this.#breach('a message of unknown shape');
    if (message.kind === 'request') void this.#serve(message.id, message.name, message.body, bytes);
    else if (message.kind === 'notification') this.#heed(message.name, message.body);
    else if (message.kind === 'response') this.#answered(message.id, message.body);
    else this.#settle(message.id, { kind: 'refused', error: fromWireError(message.error) });
  }

  async #serve(id: number, name: string, body: unknown, bytes: number): Promise<void> {
    const { theirs, onRequest } = this.#options;
    const entry = entryOf(theirs.requests, name);
    this.#work.begin(bytes);
    try {
      if (entry === undefined) throw new ContractError('unsupported', `unknown request ${name.slice(0, 64)}`);
      check(entry.request, body, name);
      const response = await onRequest(name, body);
      checkOwn(entry.response, name, response);
      this.#answer(encodeResponse(id, JSON.stringify(response)), name);
    } catch (error) {
      if (error instanceof ContractError) this.#breach(error.message);
      else if (error instanceof InternalError || !(error instanceof BowlineError)) {
        this.#failed({ request: name, error });
        if (entry?.durable) return this.#options.abort('it is unknown what was stored');
      }
      const { code, message, retryable } = toWireError(error);
      this.#answer(encodeError(id, { code, message: message.slice(0, 4096), retryable }), name);
    } finally {
      this.#work.finish(bytes);
    }
  }

  #heed(name: string, body: unknown): void {
    const validate = entryOf(this.#options.theirs.notifications, name);
    if (validate === undefined) return this.#breach(`unknown notification ${name.slice(0, 64)}`);
    if (!validate(body)) return this.#breach(describeErrors(validate.errors, name));
    this.#options.onNotification(name, body);
  }

  #answered(id: number, response: unknown): void {
    const outstanding = this.#outstanding.get(id);
    if (outstanding === undefined || outstanding.validate(response)) {
      return this.#settle(id, { kind: 'answered', response });
    }
    const problem = describeErrors(outstanding.validate.errors, `answer to ${outstanding.name}`);
    this.#breach(problem);
    this.#settle(id, { kind: 'refused', error: new ContractError('invalid', problem) });
  }

  #settle(id: number, outcome: Outcome): void {
    const outstanding = this.#outstanding.get(id);
    if (outstanding === undefined) {
      if (outcome.kind !== 'unanswered') this.#options.counters.lateAnswers += 1;
      return;
    }
    this.#outstanding.delete(id);
    outstanding.timer.cancel();
    outstanding.done(outcome);
  }

  /** An answer that finds no room means that the other side asks but does not read. */
  #answer(text: string, name: string): void {
    if (this.#ended !== undefined) return;
    this.#mustFit(name, text);
    if (!this.#options.writes.add(text, answerWindowBytes(this.#options.limits))) {
      this.#options.abort('it does not read its answers');
    }
  }

  #mustFit(name: string, text: string): void {
    const room = this.#options.limits.frameBytes - FRAMING_BYTES;
    if (text.length <= room && (text.length * 3 <= room || Buffer.byteLength(text) <= room)) return;
    throw new RejectedError('message-too-large', `${name} is larger than a frame may be (${room} bytes)`);
  }

  #breach(problem: string): void {
    this.#options.counters.contractErrors += 1;
    this.#options.log.write('warn', { problem }, 'the other side broke the contract: message rejected');
  }

  #failed(fields: { request?: string; error: unknown }): void {
    this.#options.counters.handlerFailures += 1;
    this.#options.log.write('error', fields, 'a message could not be handled');
  }
}

const windowFull = (name: string) =>
  new TransientError('window-full', `${name} was not sent: too much waits for the other side already`);
const cancelled = (signal: AbortSignal) =>
  new CancelledError('cancelled', 'the caller gave the request up', { cause: signal.reason });
