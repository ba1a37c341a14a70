import { check, describeErrors } from '@bowline/messages/check';
import { nestsDeeperThan } from '@bowline/messages/frame';
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
import { checkOwn, entryOf, type RequestEntry, type Validator, type Vocabulary } from './contract.ts';
import type { IpcCounters } from './counters.ts';
import { MESSAGE_NESTING, type Frame, type FramePart } from './frame-parser.ts';
import { decodeLines } from './lines.ts';
import { answerWindowBytes, FRAMING_BYTES, type IpcLimits } from './limits.ts';
import {
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResponse,
  readMessage,
  type IpcMessage,
  type IpcRequest,
} from './message.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { WorkMeter } from './work-meter.ts';
import { bytesOf, type WriteQueue } from './write-queue.ts';

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
  /** Answers a request that has passed its schema, with the lines that it brought. What it throws goes back as `{code, message, retryable}`. */
  onRequest(name: string, body: unknown): unknown;
  /** Takes a notification that has passed its schema. */
  onNotification(name: string, body: unknown): void;
  /** Too much in work: read no further until `resume`. */
  pause(): void;
  resume(): void;
  /** There is room for requests again after `window-full`. */
  onRoom?(): void;
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
  /** A request was refused because so many wait for their answer. */
  #crowded = false;
  #ended: BowlineError | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#work = new WorkMeter(options.limits, options);
  }

  /**
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large`, `message-too-deep` or the other side's own;
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
   * @param lines that go with it: one JSON text each.
   * @returns gives the request up: `done` is called with `unanswered` and a late answer is ignored.
   * @throws TransientError `window-full` or the code of {@link end}; RejectedError `message-too-large`, `message-too-deep`: nothing was sent.
   */
  send(
    name: string,
    bodyText: string,
    deadlineMs = DEFAULT_DEADLINE_MS,
    done: (outcome: Outcome) => void,
    lines: readonly string[] = [],
  ): () => void {
    const { clock, limits, ours, writes } = this.#options;
    if (this.#ended !== undefined) throw this.#ended;
    const validate = entryOf(ours.requests, name)?.response;
    if (validate === undefined)
      throw new InternalError('own-message-invalid', `${name} is not in the contract`);
    this.#crowded ||= this.#outstanding.size >= limits.outstandingRequests;
    if (this.#outstanding.size >= limits.outstandingRequests) throw windowFull(name);
    const id = (this.#lastId += 1);
    const text = encodeRequest(id, name, bodyText, lines.length);
    const part = lines.length === 0 ? { text } : { text, lines: lines.join('\n') };
    this.#mustFit(name, part);
    if (!writes.add(part, limits.windowBytes)) throw windowFull(name);
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
   * @throws InternalError `own-message-invalid`; RejectedError `message-too-large`, `message-too-deep`.
   */
  notify(name: string, body: unknown): boolean {
    checkOwn(entryOf(this.#options.ours.notifications, name), name, body);
    return this.notifyText(name, JSON.stringify(body));
  }

  /** {@link notify} for a body that is checked and JSON text already. */
  notifyText(name: string, bodyText: string): boolean {
    const { counters, limits, writes } = this.#options;
    const part = { text: encodeNotification(name, bodyText) };
    this.#mustFit(name, part);
    const taken = this.#ended === undefined && writes.add(part, limits.windowBytes);
    if (!taken) counters.droppedNotifications += 1;
    return taken;
  }

  /** A frame came in. Never throws: one bad message must not cost the others. */
  receive({ messages, lines, bytes }: Frame): void {
    const share = bytes / messages.length;
    let taken = 0;
    for (const value of messages) {
      try {
        const message = readMessage(value);
        const first = taken;
        if (message?.kind === 'request') taken += message.lines;
        const isWhole = taken <= lines.length;
        taken = Math.min(taken, lines.length);
        // Whose the lines are cannot be told any more.
        if (message === undefined) taken = lines.length;
        if (message === undefined || !isWhole) this.#breach('a message of unknown shape');
        else this.#receive(message, lines.slice(first, taken), share);
      } catch (error) {
        this.#failed({ error });
      }
    }
    if (taken < lines.length) this.#breach('lines that belong to no request');
  }

  /** The connection is gone: whatever is outstanding fails with `error`. */
  end(error: BowlineError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const id of this.#outstanding.keys()) this.#settle(id, { kind: 'unanswered', error });
  }

  #receive(message: IpcMessage, lines: string[], bytes: number): void {
    if (message.kind === 'request') this.#serve(message, lines, bytes);
    else if (message.kind === 'notification') this.#heed(message.name, message.body);
    else if (message.kind === 'response') this.#answered(message.id, message.body);
    else this.#settle(message.id, { kind: 'refused', error: fromWireError(message.error) });
  }

  /**
   * Not one `async` function, whose frame would keep every decoded line until the answer: with hundreds of them under way,
   * that is most of what a collection of garbage would have to move.
   */
  #serve(request: IpcRequest, lines: string[], bytes: number): void {
    const { id, name } = request;
    const entry = entryOf(this.#options.theirs.requests, name);
    this.#work.begin(bytes);
    this.#handle(entry, request, lines)
      .then((response) => {
        checkOwn(entry?.response, name, response);
        this.#answer(encodeResponse(id, JSON.stringify(response)), name);
      })
      .catch((error: unknown) => this.#refuse(id, name, error, entry?.durable ?? false))
      .finally(() => this.#work.finish(bytes))
      .catch((error: unknown) => this.#failed({ request: name, error }));
  }

  #handle(entry: RequestEntry | undefined, { name, body }: IpcRequest, lines: string[]): Promise<unknown> {
    try {
      if (entry === undefined) throw new ContractError('unsupported', `unknown request ${name.slice(0, 64)}`);
      check(entry.request, body, name);
      const brought = decodeLines(entry.line, lines, name);
      const whole = brought === undefined ? body : { ...(body as object), ...brought };
      return Promise.resolve(this.#options.onRequest(name, whole));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #refuse(id: number, name: string, error: unknown, durable: boolean): void {
    if (error instanceof ContractError) this.#breach(error.message);
    else if (error instanceof InternalError || !(error instanceof BowlineError)) {
      this.#failed({ request: name, error });
      if (durable) return this.#options.abort('it is unknown what was stored');
    }
    const { code, message, retryable } = toWireError(error);
    this.#answer(encodeError(id, { code, message: message.slice(0, 4096), retryable }), name);
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
    if (!this.#crowded || this.#ended !== undefined) return;
    this.#crowded = false;
    this.#options.onRoom?.();
  }

  /** An answer that finds no room means that the other side asks but does not read. */
  #answer(text: string, name: string): void {
    if (this.#ended !== undefined) return;
    this.#mustFit(name, { text });
    if (!this.#options.writes.add({ text }, answerWindowBytes(this.#options.limits))) {
      this.#options.abort('it does not read its answers');
    }
  }

  #mustFit(name: string, part: FramePart): void {
    const room = this.#options.limits.frameBytes - FRAMING_BYTES;
    if (bytesOf(part) > room)
      throw new RejectedError('message-too-large', `${name} is larger than a frame may be (${room} bytes)`);
    // The other side would end the connection over the whole frame, and over the same message again.
    if (nestsDeeperThan(part.text, MESSAGE_NESTING))
      throw new RejectedError('message-too-deep', `${name} nests deeper than ${MESSAGE_NESTING}`);
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
